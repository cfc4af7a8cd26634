"""Draw the contact sheets of an output, one per driving: `python -m jobs.sheets output=…`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from jobs.cli import EXIT_DONE, main
from jobs.setup import required
from lp_ray import results, storage
from lp_ray.errors import RefusedError
from lp_ray.face.protocol import Image
from lp_ray.limits import Limits
from lp_ray.manifest import DONE
from lp_ray.media.clip import open_clip
from lp_ray.media.images import write_image
from lp_ray.report.sheet import contact_sheet, pick_frames, sheet_times

COLUMNS = 9


def run(config: DictConfig) -> int:
    """Draw the sheets and say where they are."""
    folder = Path(str(config.folder or "sheets"))
    for sheet in write_sheets(required(config, "output"), folder):
        print(sheet)
    return EXIT_DONE


def write_sheets(output: str, folder: Path, drivings: Mapping[str, str] | None = None) -> list[Path]:
    """Write one PNG per driving into `folder`; `drivings` (id -> uri) puts the driving itself on top.

    Raises RefusedError when nothing is done there.
    """
    done = [row for row in results.read_results(output).to_pylist() if row["status"] == DONE]
    if not done:
        raise RefusedError(f"no finished pairs in {output}")
    folder.mkdir(parents=True, exist_ok=True)
    sheets = []
    for number, driving_id in enumerate(sorted({row["driving_id"] for row in done})):
        rows = sorted((r for r in done if r["driving_id"] == driving_id), key=lambda r: r["source_id"])
        times = sheet_times(rows[0]["n_frames"], COLUMNS)
        cells = [(row["source_id"], _cells(row["video_uri"], times)) for row in rows]
        if drivings and driving_id in drivings:
            cells.insert(0, ("driving", _cells(drivings[driving_id], times)))
        path = folder / f"sheet-{number:03d}.png"
        write_image(path, contact_sheet(f"driving: {driving_id}", cells))
        sheets.append(path)
    return sheets


def _cells(uri: str, times: Sequence[int]) -> list[Image]:
    with storage.local_copy(uri, Limits()) as path:
        frames = open_clip(path, Limits()).frames()
        return pick_frames(frames, times)


if __name__ == "__main__":
    main("sheets", run)
