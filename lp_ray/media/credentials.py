"""Sign a finished file with C2PA content credentials (https://c2pa.org), and read them back.

The manifest says which program made the file and what kind of synthetic media it is. The signature covers every byte
of the pictures and the sound.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lp_ray.base.errors import RefusedError
from lp_ray.base.version import __version__

GOOD = ("Valid", "Trusted")
"""States of a whole file; trusted: by an anchor that the reader was given."""

_NO_THUMBNAILS = {"builder": {"thumbnail": {"enabled": False}}}
"""A thumbnail would be most of what signing adds."""


@dataclass(frozen=True)
class Signer:
    """A certificate chain and its private key, PEM. Its text is never shown: the key is a secret."""

    certificate: bytes
    key: bytes
    algorithm: str

    def __repr__(self) -> str:
        return "Signer(…)"


def sign(path: Path, media_type: str, origin: str, signer: Signer) -> dict[str, str]:
    """Sign a file in place, and return its claim: `manifest` (its name), `issuer`, `signer`, `origin`.

    `origin` is IPTC's digital source type. The signature is checked at once. Raises RefusedError if the certificate or
    the key cannot sign.
    """
    import c2pa  # an extra

    signed = path.with_name(f"signed-{path.name}")
    try:
        info = c2pa.C2paSignerInfo(signer.algorithm.encode(), signer.certificate, signer.key, None)
        context = c2pa.Context(c2pa.Settings.from_dict(_NO_THUMBNAILS))
        builder = c2pa.Builder(json.dumps(_manifest(path, media_type, origin)), context)
        with path.open("rb") as source, signed.open("w+b") as sink:
            builder.sign(c2pa.Signer.from_info(info), media_type, source, sink)
    except c2pa.C2paError as error:
        signed.unlink(missing_ok=True)
        raise RefusedError(
            f"provenance=c2pa: certificate and key do not sign by {signer.algorithm}: {error}; give a PEM chain, the "
            "signer's own certificate first, for digital signatures, and the algorithm of its key"
        ) from error
    signed.replace(path)
    return read_claim(path)


def read_claim(path: Path) -> dict[str, str]:
    """Return the claim of a signed file. Raises RefusedError if it has none, or if a byte of it was changed."""
    import c2pa  # an extra

    try:
        with c2pa.Reader(path) as reader:
            state, told = str(reader.get_validation_state()), json.loads(reader.json())
    except c2pa.C2paError as error:
        raise RefusedError(f"{path.name}: no content credentials: {error}") from error
    if state not in GOOD:
        codes = ", ".join(status["code"] for status in told.get("validation_status", []))
        raise RefusedError(f"{path.name}: its content credentials are {state.lower()} ({codes})")
    name = told["active_manifest"]
    manifest: dict[str, Any] = told["manifests"][name]
    made = manifest.get("signature_info", {})
    actions = [
        action
        for assertion in manifest["assertions"]
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"]["actions"]
    ]
    origin = next((str(action["digitalSourceType"]) for action in actions if "digitalSourceType" in action), "")
    return {
        "manifest": str(name),
        "issuer": str(made.get("issuer", "")),
        "signer": str(made.get("common_name", "")),
        "origin": origin,
    }


def _manifest(path: Path, media_type: str, origin: str) -> dict[str, Any]:
    program = {"name": "lp_ray", "version": __version__}
    created = {"action": "c2pa.created", "digitalSourceType": origin, "softwareAgent": program}
    return {
        "claim_generator_info": [program],
        "title": path.name,
        "format": media_type,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }
