"""What a kind of input is: valid samples, what is made of them, and how a job reads it. The kinds by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from benchmarks.fuzz.mutations import Dice

Samples = Mapping[str, bytes]
"""Valid files by name."""


@dataclass(frozen=True)
class Case:
    """An input: its files, by path below its folder, the one that a job is given, and what was done to it.

    `sound`: nothing was done to it, and it must be read. `about` is what the kind's `read` needs to know.
    """

    files: Mapping[str, bytes]
    main: str
    how: str
    sound: bool = False
    about: Mapping[str, str] = field(default_factory=dict)


class Kind(Protocol):
    """One kind of input."""

    def make_samples(self, folder: Path) -> None:
        """Write valid files; their names sort them."""
        ...

    def make(self, dice: Dice, samples: Samples) -> Case:
        """Make one input, by nothing but `dice`."""
        ...

    def read(self, path: Path, case: Case, output: Path) -> None:
        """Read the input as a job does; write below `output` only. Raises what the readers raise."""
        ...


KINDS: dict[str, str] = {
    "pictures": "benchmarks.fuzz.pictures:Pictures",
    "clips": "benchmarks.fuzz.clips:Clips",
    "templates": "benchmarks.fuzz.templates:Templates",
    "weights": "benchmarks.fuzz.weights:Weights",
    "manifests": "benchmarks.fuzz.manifests:Manifests",
    "performances": "benchmarks.fuzz.performances:Performances",
}
"""Name -> module and class."""


def kind_at(place: str) -> Kind:
    """Make the kind that `module:Class` names."""
    module, _, name = place.partition(":")
    return cast(Kind, getattr(import_module(module), name)())


def read_samples(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def case_of(kind: Kind, samples: Samples, seed: int, index: int) -> Case:
    """Return input number `index` of a run; the same for the same seed."""
    return kind.make(Dice(seed, index), samples)


def kind_of(index: int, names: list[str]) -> str:
    """Return which kind input number `index` is of: they take turns."""
    return names[index % len(names)]
