"""Reference numbers for the tests: a folder of them, completed by the carried ones where seeds do not matter.

The carried folder is tests/golden/data. `pytest --goldens DIR` takes another one of the same form, made with other
seeds (their salts are in its weights_checksums.json and xpose_checksum.json), which may hold only part of the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

CARRIED = Path(__file__).parent / "golden" / "data"

SEEDLESS = frozenset(
    {
        *("state_dicts.json", "state_dicts_xpose.json", "templates.json", "lip_array.json", "costs.json"),
        *("blendshapes.npz", "identity.npz"),
    }
)
"""What no seed goes into: facts of the reference's files, and numbers of real pictures."""

OF_MEDIA = frozenset({"identity.npz"})
"""What holds cuttings of the test media, which the repository must not carry: it stays in ../shared/goldens."""


@dataclass(frozen=True)
class Goldens:
    """The folder given, and ../shared; `goldens / "kalman.npz"` is the path of a file of it.

    A file that the folder lacks is the carried one if no seed goes into it; else the test that asks is skipped, and
    the reason names the file.
    """

    folder: Path
    shared: Path

    def __truediv__(self, name: str) -> Path:
        if path := self.find(name):
            return path
        if name in OF_MEDIA:
            pytest.skip(f"needs ../shared/goldens/{name}: it holds cuttings of the test media")
        pytest.skip(f"{name} is not in {self.folder}, and depends on its seeds")

    def __str__(self) -> str:
        return str(self.folder)

    def find(self, name: str) -> Path | None:
        """Return where a file is: in the folder or, if no seed goes into it, among the carried ones; else None."""
        places = [self.folder]
        if name in SEEDLESS:
            places += [CARRIED, self.shared / "goldens"]
        return next((place / name for place in places if (place / name).is_file()), None)
