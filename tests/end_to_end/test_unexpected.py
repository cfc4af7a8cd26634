"""A bug of this package is not a bad input: it keeps its traceback, and too many such errors stop the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import skimage.data

from lp_ray.media.images import write_image
from lp_ray.stages.contract import Bench, Stage
from lp_ray.stages.rows import SourcedSpan
from tests.plugins.conftest import one_pair, rows, run_with
from tests.running import Performances, write_manifest

__all__ = ["one_pair", "rows", "run_with"]

TARGET = "tests.end_to_end.test_unexpected:Mistaken"


class Mistaken(Stage[SourcedSpan, SourcedSpan]):
    """A stage with a mistake in it, for sources whose name says so."""

    name = "mistaken"
    after = "source"
    takes = gives = SourcedSpan

    def __init__(self, bench: Bench) -> None:
        """There is nothing to load."""

    def work(self, row: SourcedSpan) -> Iterator[SourcedSpan]:
        if row.work.source.uri.rpartition("/")[2].startswith("mistake"):
            len(row.start)  # type: ignore[arg-type]
        yield row


@pytest.fixture
def command(tmp_path: Path, performances: Performances) -> tuple[str, ...]:
    """A job with two portraits that meet the bug, one that does not, and one file that is no picture."""
    for name in ("good", "mistake-1", "mistake-2"):
        write_image(tmp_path / f"{name}.png", skimage.data.astronaut())
    (tmp_path / "bad.png").write_text("no picture")
    sources = [{"uri": str(path), "source_id": path.stem} for path in sorted(tmp_path.glob("*.png"))]
    drivings = [{"uri": str(performances.talk), "driving_id": "d", "end_s": 0.12}]
    return (
        f"sources={write_manifest(tmp_path / 's.parquet', sources)}",
        f"drivings={write_manifest(tmp_path / 'd.parquet', drivings)}",
        *(f"output={tmp_path / 'out'}", "paste_back=false", "stages=[mistaken]"),
    )


def test_a_mistake_keeps_its_traceback_in_the_log_and_in_a_file_and_ends_in_code_1(
    command: tuple[str, ...], run_with: Callable[..., Any], rows: Callable[[], pa.Table]
) -> None:
    """The job goes on with the rest; a bad input beside it has its own row and no traceback."""
    ended = run_with("lp_ray.stages", "mistaken", TARGET)("animate", *command)
    assert ended.code == 1, ended.output
    assert ended.output.count("an unexpected error in mistaken\nTraceback") == 1, "in the log, once for both"
    assert "unexpected errors: 2" in ended.output and "pairs: 1 done, 3 failed" in ended.output
    table = {row["source_id"]: row for row in rows().to_pylist()}
    assert table["good"]["status"] == "done"
    assert (table["bad"]["error_class"], table["bad"]["traceback_uri"]) == ("UnreadableMediaError", None)
    for name in ("mistake-1", "mistake-2"):
        row = table[name]
        assert (row["status"], row["stage"], row["error_class"]) == ("failed", "mistaken", "TypeError")
        kept = Path(row["traceback_uri"].removeprefix("file://")).read_text()
        assert "len(row.start)" in kept and "test_unexpected.py" in kept


def test_more_mistakes_than_are_allowed_stop_the_job_with_the_last_ones_traceback(
    command: tuple[str, ...], run_with: Callable[..., Any], rows: Callable[[], pa.Table]
) -> None:
    ended = run_with("lp_ray.stages", "mistaken", TARGET)("animate", *command, "max_unexpected=1", "runtime=inline")
    assert ended.code == 1 and "stopped: 2 pieces of work met an error that no input is to blame for" in ended.output
    assert "TypeError" in ended.output and "len(row.start)" in ended.output
    assert "TypeError" in rows()["error_class"].to_pylist(), "what was settled by then is in the table"
