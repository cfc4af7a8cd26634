"""A handful of pairs needs no Ray; where a job runs changes nothing of what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.cli import composed
from jobs.runtime import HANDFUL, InThisProcess, choose
from lp_ray.base.errors import RefusedError
from lp_ray.output import results
from tests.generated import Generated
from tests.running import RunJob, write_manifest

OF_THE_RUN = {"started_at", "finished_at", "seconds", "video_uri", "comparison_uri", "template_uri"}


@pytest.mark.parametrize(
    ("settings", "n", "inline"),
    [
        ([], HANDFUL, True),
        ([], HANDFUL + 1, False),
        (["runtime=ray"], 1, False),
        (["runtime=inline"], 1000, True),
        (["cluster=auto"], 1, False),
        (["pools.write.actors=2"], 1, False),
        (["cluster.num_cpus=2"], 1, False),
    ],
)
def test_a_handful_of_pairs_on_this_machine_runs_in_this_process(settings: list[str], n: int, inline: bool) -> None:
    assert isinstance(choose(composed("animate", settings), n), InThisProcess) is inline


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["runtime=thread"], "runtime='thread' must be one of auto, inline, ray"),
        (["runtime=inline", "cluster=auto"], "cluster.address=auto has no effect with runtime=inline"),
        (["runtime=inline", "pools.write.actors=2"], "pools.write.actors=2 has no effect with runtime=inline"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        choose(composed("animate", settings), 1)


@pytest.mark.ray
def test_rows_files_and_resume_are_the_same(
    generated: Generated, tmp_path: Path, run_job: RunJob, call_job: RunJob
) -> None:
    command = (f"source={generated.portrait}", f"driving={generated.clip}", "end_s=0.4", "comparison=true")
    rows = []
    for runtime in ("inline", "ray"):
        ended = run_job("animate", *command, f"output={tmp_path / runtime}", f"runtime={runtime}")
        assert ended.code == 0, ended.output
        assert "Set ray log level" not in ended.output and ("pools:" in ended.output) is (runtime == "ray")
        rows += results.read_results(str(tmp_path / runtime)).to_pylist()
    assert _told(rows[0]) == _told(rows[1])
    again = call_job("animate", *command, f"output={tmp_path / 'inline'}", "runtime=ray")
    assert again.code == 0 and "nothing to do" in again.output


def test_a_dry_run_names_what_cannot_be_started_and_why(generated: Generated, tmp_path: Path, call_job: RunJob) -> None:
    """The first ten of a kind, and how many more; nothing is written."""
    rows = [{"source_id": "here", "uri": str(generated.portrait)}]
    rows += [{"source_id": f"gone-{n:02}", "uri": str(tmp_path / f"{n}.jpg")} for n in range(12)]
    sources, output = write_manifest(tmp_path / "s.parquet", rows), tmp_path / "out"
    ended = call_job(
        "animate",
        f"sources={sources}",
        f"driving={generated.clip}",
        f"output={output}",
        "dry_run=true",
        "runtime=inline",
    )
    assert ended.code == 0 and not output.exists()
    assert f"source gone-00 cannot be used: nothing at {tmp_path / '0.jpg'}" in ended.output
    assert ended.output.count("cannot be used") == 10 and "… and 2 more sources" in ended.output
    assert "12 of them cannot be started" in ended.output and "in this process, without Ray" in ended.output


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OF_THE_RUN}
