"""Makes a Python one of a machine that has torch, numpy, scipy and little else, to whom this folder is on PYTHONPATH.

Whatever is installed beside those, and is not brought along by them, cannot be imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from types import ModuleType

THERE = ("torch", "numpy", "scipy", "opencv-python", "imageio-ffmpeg", "lp-ray")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _with_what_they_need(names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    waiting = [_plain(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue
        if name != "lp-ray":
            waiting += [_plain(re.split(r"[^\w.-]", need)[0]) for need in needed if "extra ==" not in need]
    return found


_PRESENT = _with_what_they_need(THERE)
_ABSENT = {top for top, of in packages_distributions().items() if not any(_plain(name) in _PRESENT for name in of)}


class _Present(PathFinder):
    """Finds what there is, and of all else nothing, as where it was never installed."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname.partition(".")[0] in _ABSENT else super().find_spec(fullname, path, target)


sys.meta_path = [_Present if finder is PathFinder else finder for finder in sys.meta_path]
