"""Makes a Python one of a machine that has torch, numpy, scipy and little else, to whom this folder is on PYTHONPATH.

Whatever is installed beside those, and is not brought along by them, cannot be imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
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


class _Absent(MetaPathFinder):
    def __init__(self) -> None:
        there = _with_what_they_need(THERE)
        self._absent = {
            top for top, of in packages_distributions().items() if not any(_plain(name) in there for name in of)
        }

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name.partition(".")[0] in self._absent:
            raise ModuleNotFoundError(f"No module named {name!r}: this machine has {', '.join(THERE)}", name=name)


sys.meta_path.insert(0, _Absent())
