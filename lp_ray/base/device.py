"""Where networks run: `cpu`, `cuda` or `cuda:N`, read once."""

from __future__ import annotations

import re
from typing import Literal, Self

from lp_ray.base.errors import RefusedError

_FORM = re.compile(r"(cpu|cuda)(?::(\d{1,3}))?")


class Device(str):
    """A device as torch writes it. It is a text, so that it can be stored and compared; its parts are properties."""

    @classmethod
    def parse(cls, text: str, setting: str) -> Self:
        """Read a device. Raises RefusedError, naming the setting, for anything but `cpu`, `cuda` and `cuda:N`."""
        match = _FORM.fullmatch(str(text))
        if match is None or (match[1] == "cpu" and match[2]):
            raise RefusedError(f"{setting}={str(text)!r} must be cpu, cuda or cuda:N")
        return cls(text)

    @property
    def kind(self) -> Literal["cpu", "cuda"]:
        """What it is, whichever one of its kind."""
        return "cuda" if self.is_gpu else "cpu"

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU, which a cluster must have and give."""
        return self.startswith("cuda")

    @property
    def number(self) -> int:
        """Which one of its kind."""
        return int(self.partition(":")[2] or 0)


CPU = Device("cpu")
