"""Contact sheets show results of every kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.sheets import write_sheets
from lp_ray import LivePortraitPipeline, storage
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.media.images import read_image
from lp_ray.output import results
from lp_ray.report.sheet import CELL
from tests.generated import Generated
from tests.running import RunJob

pytestmark = pytest.mark.slow


def test_each_kind_has_its_row(generated: Generated, tmp_path: Path) -> None:
    """Four results of one driving, in every form, and a still of another: full rows, and a row of one."""
    pipeline = LivePortraitPipeline(engine="preview")
    source, driving, output = generated.closed_mouth, generated.silent_clip, tmp_path / "out"
    for made in ("mp4", "gif", "frames"):
        pipeline.animate(source, driving, output, end_s=0.4, format=made, paste_back=False)
    pipeline.animate(source, generated.still, output, paste_back=False)
    shown = {sheet.shape[0] > 3 * CELL: sheet for sheet in drawn(output, tmp_path / "sheets")}
    several, still = shown[True], shown[False]
    rows = [several[top : top + CELL, :CELL] for top in range(40, several.shape[0] - CELL, CELL + 22)]
    assert len(rows) == 4, "the driving, and three results"
    for row in rows[2:]:
        assert np.abs(row.astype(int) - rows[1]).mean() < 8, "the same first frame, but for the codec"
    assert np.abs(rows[1].astype(int) - rows[0]).mean() > 8, "the driving is another face"
    assert still.shape[1] < 2 * CELL


def test_a_copied_output_is_whole_where_it_lies_now(generated: Generated, tmp_path: Path, call_job: RunJob) -> None:
    """Copied, and the first one renamed away: results are found, sheets lie in it, a rerun has nothing to do."""
    command = (f"source={generated.portrait}", f"driving={generated.silent_clip}", "end_s=0.2", "comparison=true")
    first, copy = tmp_path / "first", tmp_path / "copy"
    assert call_job("animate", *command, f"output={first}").code == 0
    shutil.copytree(first, copy)
    first.rename(tmp_path / "gone")
    row = results.read_results(str(copy)).to_pylist()[0]
    for place in (row["video_uri"], row["comparison_uri"], row["template_uri"]):
        path = Path(place.removeprefix("file://"))
        assert path.is_file() and path.is_relative_to(copy)
    stored = pq.read_table(copy / "results").to_pylist()[0]
    assert stored["video_uri"] == f"videos/{row['pair_id']}.mp4"
    again = call_job("animate", *command, f"output={copy}")
    assert again.code == 0 and "nothing to do" in again.output
    ended = call_job("sheets", f"output={copy}")
    assert ended.code == 0 and (copy / "sheets" / "sheet-000.png").is_file(), ended.output


def test_an_output_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no finished pairs"):
        drawn(tmp_path, tmp_path / "sheets")


def drawn(output: Path, folder: Path) -> list[np.ndarray]:
    uris = write_sheets(storage.normalise(str(output)), storage.normalise(str(folder)))
    return [read_image(Path(uri.removeprefix("file://")), Limits()) for uri in uris]
