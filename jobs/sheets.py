"""Draw the contact sheets of an output, one per driving: `python -m jobs.sheets output=…`.

Each result gets a row of cells, whatever its format: videos and GIFs, zips of frames, single pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from omegaconf import DictConfig

from jobs.cli import EXIT_DONE, main
from jobs.places import folder_to_read, folder_to_write
from jobs.setup import required
from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.formats import FORMATS
from lp_ray.contract.result_schema import DONE
from lp_ray.media.clip import open_footage
from lp_ray.media.frames_zip import read_frames
from lp_ray.media.images import write_image
from lp_ray.output import results
from lp_ray.report.sheet import contact_sheet, pick_frames, sheet_times

COLUMNS = 9


def run(config: DictConfig) -> int:
    """Draw the sheets and print their paths."""
    output, folder = folder_to_read("output", required(config, "output")), str(config.folder or "sheets")
    folder_to_write("folder", folder)
    for sheet in write_sheets(output, Path(folder)):
        print(sheet)
    return EXIT_DONE


def write_sheets(output: str, folder: Path, drivings: Mapping[str, str] | None = None) -> list[Path]:
    """Write one PNG per driving into `folder`. `drivings` (id -> uri) adds the driving itself as the first row.

    Raises RefusedError if the output has no finished pairs.
    """
    done = [row for row in results.read_results(output).to_pylist() if row["status"] == DONE]
    if not done:
        raise RefusedError(f"no finished pairs in {output}: python -m jobs.animate makes them")
    folder.mkdir(parents=True, exist_ok=True)
    sheets = []
    for number, driving_id in enumerate(sorted({row["driving_id"] for row in done})):
        rows = sorted((r for r in done if r["driving_id"] == driving_id), key=lambda r: r["source_id"])
        cells = [(row["source_id"], _result(row)) for row in rows]
        if drivings and driving_id in drivings:
            cells.insert(0, ("driving", _footage(drivings[driving_id])))
        path = folder / f"sheet-{number:03d}.png"
        write_image(path, contact_sheet(f"driving: {driving_id}", cells))
        sheets.append(path)
    return sheets


def _result(row: results.ResultRow) -> list[Image]:
    if row["kind"] != FORMATS.get("frames").kind:
        return _footage(row["video_uri"])
    with storage.local_copy(row["video_uri"], Limits()) as path:
        return _spread(read_frames(path), row["n_frames"])


def _footage(uri: str) -> list[Image]:
    with storage.local_copy(uri, Limits()) as path:
        footage = open_footage(path, Limits())
        return _spread(footage.frames(), footage.n_frames)


def _spread(frames: Iterable[Image], n_frames: int) -> list[Image]:
    """Return a few frames, evenly spaced from the first to the last, as cells."""
    return pick_frames(frames, sheet_times(n_frames, min(COLUMNS, n_frames)))


if __name__ == "__main__":
    main("sheets", run)
