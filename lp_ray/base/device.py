"""The device that networks run on: `cpu`, `cuda` or `cuda:N`, parsed once."""

from __future__ import annotations

import re
from typing import Literal, Self

from lp_ray.base.errors import RefusedError

_FORM = re.compile(r"(cpu|cuda)(?::(\d{1,3}))?")


class Device(str):
    """A device, written as torch writes it. It is a string, so it can be stored and compared; properties give its
    parts."""

    @classmethod
    def parse(cls, text: str, setting: str) -> Self:
        """Parse a device. Raises RefusedError, which names the setting, for anything but `cpu`, `cuda` and `cuda:N`."""
        match = _FORM.fullmatch(str(text))
        if match is None or (match[1] == "cpu" and match[2]):
            raise RefusedError(f"{setting}={str(text)!r} must be cpu, cuda or cuda:N")
        return cls(text)

    @property
    def kind(self) -> Literal["cpu", "cuda"]:
        """The type of device, without its number."""
        return "cuda" if self.is_gpu else "cpu"

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU, which the cluster must have and assign."""
        return self.startswith("cuda")

    @property
    def number(self) -> int:
        """The number of the GPU; 0 if none is given."""
        return int(self.partition(":")[2] or 0)


CPU = Device("cpu")
