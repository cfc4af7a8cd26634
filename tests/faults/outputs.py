"""What an output shows, and what it must look like when a job has ended well."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lp_ray.output import results


@dataclass(frozen=True)
class File:
    """A file as it was seen."""

    written_ns: int
    sha256: str


def videos(output: Path) -> dict[str, File]:
    """Return every visible result by its key."""
    return {path.stem: _file(path) for path in (output / "videos").glob("[!.]*")}


def rows(output: Path) -> list[dict[str, Any]]:
    """Return the results table, rows that are not gathered yet included."""
    found: list[dict[str, Any]] = results.read_results(str(output)).to_pylist()
    return found


def finished(output: Path) -> dict[str, File]:
    """Return the results of those pairs that have a row."""
    ids = {row["pair_id"] for row in rows(output) if row["status"] == "done"}
    return {key: file for key, file in videos(output).items() if key in ids}


def reached(output: Path, n_videos: int) -> Callable[[], bool]:
    """Say whether so many results are visible: a job's progress, as seen from outside."""
    return lambda: len(list((output / "videos").glob("[!.]*"))) >= n_videos


def litter(output: Path, store: Path | None = None) -> list[str]:
    """Return every file that is not a result, its labels, a row of the table, a template or tracks of a driving, a
    summary, or the last holder's lease."""
    seen = ("videos", "results", "comparisons", "labels", "summaries")
    templates = store or output / "templates"
    homes = {*(output / name for name in seen), templates, templates / "tracks"}
    lease = output / ".lp_ray" / "lease"
    files = [path for root in (output, store or output) for path in root.rglob("*") if path.is_file()]
    strays = [p for p in files if p.parent not in homes | {lease} or p.name.startswith(".")]
    return sorted({str(p) for p in strays} | {str(p) for p in sorted(lease.iterdir())[:-1]})


def check_whole(output: Path, n_pairs: int, store: Path | None = None) -> None:
    """Assert that every pair has one `done` row and one whole object, and that nothing else is left."""
    found, made = rows(output), videos(output)
    assert [row["status"] for row in found] == ["done"] * n_pairs
    assert len({row["pair_id"] for row in found}) == len(made) == n_pairs
    assert {row["pair_id"]: row["sha256"] for row in found} == {key: file.sha256 for key, file in made.items()}
    assert litter(output, store) == []


def _file(path: Path) -> File:
    return File(path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
