"""Content credentials of results: the settings `provenance` and `provenance_certificate`, `_key`, `_algorithm`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from lp_ray.base.errors import RefusedError
from lp_ray.base.extras import check_part

Kind = Literal["none", "c2pa"]
KINDS: tuple[str, ...] = get_args(Kind)

ALGORITHMS = ("es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519")

TYPES = {"mp4": "video/mp4", "png": "image/png", "gif": "image/gif"}
"""Formats whose files can hold a C2PA manifest -> their media types."""


@dataclass(frozen=True)
class Provenance:
    """Whether results are signed, and with what: URIs of a certificate chain and its private key, both PEM, and how."""

    kind: Kind = "none"
    certificate: str = ""
    key: str = ""
    algorithm: str = "es256"

    def check(self) -> None:
        """Raise RefusedError for settings that do not go together, or if the part that signs is not installed."""
        if self.kind not in KINDS:
            raise RefusedError(f"provenance={self.kind!r} must be one of {', '.join(KINDS)}")
        if self.algorithm not in ALGORITHMS:
            raise RefusedError(f"provenance_algorithm={self.algorithm!r} must be one of {', '.join(ALGORITHMS)}")
        given = {"provenance_certificate": self.certificate, "provenance_key": self.key}
        for name, value in given.items():
            if self.kind == "none" and value:
                raise RefusedError(f"{name} has no effect without provenance=c2pa")
            if self.kind == "c2pa" and not value:
                raise RefusedError(f"provenance=c2pa needs {name}=…: a PEM file, local or a URI")
        if self.kind == "c2pa":
            check_part("provenance", "provenance=c2pa")

    def __bool__(self) -> bool:
        return self.kind != "none"
