"""What is stored lasts: an output of version 0.1 is read, and a job of today goes on with it.

`tests/output/data/written_by_0_1` is what that version's `jobs.animate` wrote: the astronaut, done, and a file that is
no picture, failed, each driven by three frames of the performance `talk`.
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import skimage.data

from lp_ray.acting.film import film_performance
from lp_ray.media.images import write_image
from lp_ray.output.layout import OutputLayout
from lp_ray.output.reconcile import read_history
from lp_ray.output.results import read_results, settled
from lp_ray.storage import normalise
from tests.running import RunJob, write_manifest

STORED = Path(__file__).parents[1] / "output" / "data" / "written_by_0_1"


def test_results_of_an_older_version_are_read(tmp_path: Path) -> None:
    """As they were, with the columns that came later null; its videos count as done work of that version."""
    output = shutil.copytree(STORED, tmp_path / "out")
    table = read_results(str(output)).sort_by("source_id")
    assert table["status"].to_pylist() == ["done", "failed"]
    assert table["source_version"].to_pylist() == table["lp_ray_version"].to_pylist() == [None, None]
    assert table["meta_who"].to_pylist() == ["Eileen", "nobody"]
    done = table.to_pylist()[0]
    assert done["seconds"]["animate"] > 0 and done["n_frames"] == 3
    found = settled(OutputLayout(normalise(str(output))))
    assert (found.done.sum(), found.failed.sum()) == (1, 1)


def test_a_job_makes_an_older_outputs_pairs_once_and_retires_their_rows(tmp_path: Path, call_job: RunJob) -> None:
    """Keys changed once, as the changelog says: old rows go to the history, and then there is nothing to do."""
    output = shutil.copytree(STORED, tmp_path / "out")
    write_image(tmp_path / "astronaut.png", skimage.data.astronaut())
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xffno picture")
    film_performance(tmp_path / "talk.mp4", "talk", skimage.data.astronaut(), Fraction(25), 10, sound=False)
    sources = [
        {"uri": str(tmp_path / "astronaut.png"), "source_id": "astronaut", "meta_who": "Eileen"},
        {"uri": str(tmp_path / "broken.jpg"), "source_id": "broken", "meta_who": "nobody"},
    ]
    drivings = [{"uri": str(tmp_path / "talk.mp4"), "driving_id": "talk", "end_s": 0.12}]
    command = (
        "animate",
        f"sources={write_manifest(tmp_path / 's.parquet', sources)}",
        f"drivings={write_manifest(tmp_path / 'd.parquet', drivings)}",
        *(f"output={output}", "paste_back=false", "runtime=inline"),
    )
    ended = call_job(*command)
    assert ended.code == 3 and "pairs: 1 done, 1 failed" in ended.output, ended.output
    table = pq.read_table(output / "results").sort_by("source_id")
    assert table["status"].to_pylist() == ["done", "failed"]
    assert all(table["source_version"].to_pylist()) and all(table["lp_ray_version"].to_pylist())
    history = read_history(OutputLayout(normalise(str(output))))
    assert history.sort_by("source_id")["status"].to_pylist() == ["done", "failed"]
    assert not set(history["pair_id"].to_pylist()) & set(table["pair_id"].to_pylist())
    assert "nothing to do" in call_job(*command).output
    assert call_job("clean", f"output={output}").code == 0
    assert {path.stem for path in (output / "videos").iterdir()} == {table["pair_id"][0].as_py()}
