"""The library sets what an engine declares itself, and means what a command with the same setting means."""

from __future__ import annotations

from pathlib import Path

import pytest

from lp_ray import LivePortraitPipeline
from lp_ray.base.errors import RefusedError
from lp_ray.output.results import read_results
from tests.generated import Generated
from tests.running import RunJob

SEEDED = {"weights": "seeded", "size": "tiny"}


@pytest.mark.slow
def test_a_pair_has_the_key_that_a_command_gives_it(generated: Generated, call_job: RunJob, tmp_path: Path) -> None:
    """A command finds the library's pair done, and makes none; without the setting the pair is another."""
    inputs = (generated.portrait, generated.silent_clip, tmp_path / "out")
    with_it = LivePortraitPipeline(**SEEDED, engine_settings={"finishing": "device"}).animate(*inputs, end_s=0.1)
    words = [f"{name}={value}" for name, value in zip(("source", "driving", "output"), inputs, strict=True)]
    words += ["engine=liveportrait", "engine.weights=seeded", "engine.size=tiny", "engine.finishing=device"]
    ended = call_job("animate", *words, "end_s=0.1", "runtime=inline")
    assert ended.code == 0, ended.output
    (row,) = read_results(str(tmp_path / "out")).to_pylist()
    assert (row["pair_id"], row["finished_at"]) == (with_it["pair_id"], with_it["finished_at"])
    without = LivePortraitPipeline(**SEEDED).animate(*inputs, end_s=0.1)
    assert without["pair_id"] != with_it["pair_id"]


@pytest.mark.parametrize(
    ("engine", "name", "words"),
    [
        (
            "liveportrait",
            "executoin",
            r"engine\.executoin: no such setting \(did you mean 'execution'\?\) \(settings: execution, finishing\)",
        ),
        ("preview", "finishing", r"engine\.finishing: no such setting \(settings: none\)"),
        ("liveportrait", "precision", r"engine\.precision: every engine has it"),
    ],
)
def test_a_setting_that_the_engine_does_not_declare_is_refused(engine: str, name: str, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        LivePortraitPipeline(engine=engine, engine_settings={name: "device"})
