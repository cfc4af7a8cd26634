"""Draw the contact sheets of an output, one per driving: `lp-ray sheets output=…`.

Each result gets a row of cells, whatever its format: videos and GIFs, zips of frames, single pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputError
from lp_ray.base.limits import Limits
from lp_ray.contract.formats import FORMATS
from lp_ray.contract.media_kinds import is_template
from lp_ray.media.clip import open_footage
from lp_ray.media.frames_zip import read_frames
from lp_ray.media.images import write_image
from lp_ray.output import results
from lp_ray.report.sheet import contact_sheet, pick_frames, sheet_times

from .cli import main
from .exit_codes import EXIT_DONE
from .places import finished_rows, folder_to_read, folder_to_write
from .setup import required

COLUMNS = 9


def run(config: DictConfig) -> int:
    """Draw the sheets and print their paths."""
    output = folder_to_read("output", required(config, "output"))
    folder = folder_to_write("folder", str(config.folder)) if config.folder else storage.join(output, "sheets")
    for sheet in write_sheets(output, folder):
        print(storage.shown(sheet))
    return EXIT_DONE


def write_sheets(output: str, folder: str) -> Iterator[str]:
    """Write one PNG per driving into `folder`, and yield their URIs; both are normalised URIs.

    The first row of a sheet is the driving itself, if it can still be read as a picture or a clip. Raises RefusedError
    if the output has no finished pairs.
    """
    done = finished_rows(output)
    for number, driving_id in enumerate(sorted({row["driving_id"] for row in done})):
        rows = sorted((r for r in done if r["driving_id"] == driving_id), key=lambda r: r["source_id"])
        cells = [*_driving(rows[0]), *((row["source_id"], _result(row)) for row in rows)]
        uri = storage.join(folder, f"sheet-{number:03d}.png")
        with TemporaryDirectory(prefix="lp_ray-sheet-") as local:
            write_image(Path(local) / "sheet.png", contact_sheet(f"driving: {driving_id}", cells))
            storage.put_file(Path(local) / "sheet.png", uri)
        yield uri


def _driving(row: results.ResultRow) -> list[tuple[str, list[Image]]]:
    """Return the cells of a pair's driving. Rows of older versions do not name it; a template has no pictures."""
    uri = row.get("driving_uri")
    if not uri or is_template(uri):
        return []
    try:
        return [("driving", _footage(uri))]
    except InputError as error:
        print(f"the driving is not shown: {error}", file=sys.stderr)
        return []


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
