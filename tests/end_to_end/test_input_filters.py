"""Filters before work: what falls short is a filtered row with reason and score, what cannot be measured passes."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skimage.data

import lp_ray
from lp_ray.base.limits import Limits
from lp_ray.contract.input_filters import BY_STAGE, STAGES, THRESHOLDS, make_thresholds, markdown, reason
from lp_ray.media.clip import open_footage
from lp_ray.media.encode import encode_segment
from lp_ray.media.images import write_image
from tests.generated import GROUP_PHOTO, Generated, astronaut
from tests.jobs.conftest import Call, call
from tests.running import REPOSITORY, write_manifest

__all__ = ["call"]

FAR = {"least": 1e9, "most": -1e9}
"""A limit that nothing measured keeps."""


def rows(output: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in lp_ray.read_results(output).to_pylist()}


@pytest.fixture
def inputs(tmp_path: Path, generated: Generated) -> str:
    """Two sources, one of them dark, and three drivings: a clip, a still picture, a performance."""
    write_image(tmp_path / "dark.png", skimage.data.astronaut() // 5)
    (tmp_path / "nod.perf.csv").write_text("frame,head_yaw\n0,0\n3,10\n")
    sources = [
        {"uri": str(generated.portrait), "source_id": "bright"},
        {"uri": f"{tmp_path}/dark.png", "source_id": "dark"},
    ]
    drivings = [{"uri": str(generated.silent_clip), "driving_id": "clip", "end_s": 0.4}]
    drivings += [
        {"uri": str(generated.portrait), "driving_id": "still"},
        {"uri": f"{tmp_path}/nod.perf.csv", "driving_id": "nod"},
    ]
    pq.write_table(pa.Table.from_pylist(sources), tmp_path / "s.parquet")
    pq.write_table(pa.Table.from_pylist(drivings), tmp_path / "d.parquet")
    manifests = f"sources={tmp_path}/s.parquet drivings={tmp_path}/d.parquet"
    return f"animate {manifests} output={tmp_path}/out paste_back=false runtime=inline"


def test_inputs_are_left_out_and_judged_again_on_request(tmp_path: Path, inputs: str, call: Call) -> None:
    limits = " filter.source.least_luminance=60 filter.driving.least_seconds=0.1"
    ended = call(inputs + limits)
    assert ended.code == 0 and "2 done, 0 failed, 4 filtered" in ended.output, ended.output
    assert "  left out by filter.source.least_luminance: 3" in ended.output
    (summary,) = (tmp_path / "out" / "summaries").glob("*.json")
    assert json.loads(summary.read_text())["filters"] == {
        "filter.source.least_luminance": 3,
        "filter.driving.least_seconds": 1,
    }
    made = rows(tmp_path / "out")
    dark = made["dark__clip"]
    assert (dark["status"], dark["stage"]) == ("filtered", "filter_source") and 10 < dark["score"] < 60
    assert dark["error"] == f"filter.source.least_luminance: luminance {dark['score']:.3g} grey levels is under 60"
    still = made["bright__still"]
    assert (still["stage"], still["error"]) == (
        "filter_driving",
        "filter.driving.least_seconds: seconds 0.04 seconds is under 0.1",
    )
    kept = {name: row["pair_id"] for name, row in made.items() if row["status"] == "done"}
    assert kept.keys() == {"bright__clip", "bright__nod"}
    assert "nothing to do" in call(inputs + limits).output
    assert "nothing to do" in call(inputs).output, "what was left out stays so until it is asked for"
    again = call(inputs + " retry=filtered filter.source.least_luminance=60")
    assert again.code == 0 and "1 done, 0 failed, 3 filtered" in again.output, again.output
    after = rows(tmp_path / "out")
    assert {name: after[name]["pair_id"] for name in kept} == kept, "thresholds are in no key"
    assert after["bright__still"]["status"] == "done"


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=lambda each: f"{each.role}.{each.name}")
def test_every_threshold_acts_on_a_clip(threshold: Any, tmp_path: Path, generated: Generated, call: Call) -> None:
    """A limit that nothing can keep leaves the pair out, in the words of its own measure."""
    ended = call(
        f"animate source={generated.portrait} driving={generated.clip} end_s=0.2 output={tmp_path}/out "
        f"paste_back=false filter.{threshold.role}.{threshold.name}={FAR[threshold.bound]}"
    )
    assert "1 filtered" in ended.output, ended.output
    (row,) = rows(tmp_path / "out").values()
    assert row["error"].startswith(f"filter.{threshold.role}.{threshold.name}: {threshold.measure} ")
    assert row["stage"] == STAGES[threshold.role]


def test_the_page_shows_the_thresholds() -> None:
    assert markdown() in (REPOSITORY / "docs" / "datasets.md").read_text()


def test_what_is_not_measured_passes() -> None:
    limits = make_thresholds({"driving": {"most_yaw": 3, "least_seconds": None}})
    assert limits == {"filter_driving": {"most_yaw": 3.0}}
    assert reason("filter_driving", {"seconds": 1.0}, limits["filter_driving"]) is None
    assert reason("filter_driving", {"yaw": 3.0}, limits["filter_driving"]) is None, "a bound is kept at its value"
    assert reason("filter_driving", {"yaw": 3.5}, limits["filter_driving"]) is not None
    assert all(BY_STAGE[STAGES[each.role]][each.name] is each for each in THRESHOLDS), "each name once"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("filter.source.least_sharpness=high", "filter.source.least_sharpness='high' must be a number"),
        ("filter.source.sharpness=1", "filter.source.sharpness=… is no setting"),
        ("stages=[filter_source]", "stages=filter_source: set its thresholds as filter.source.…"),
        (
            "filter.source.most_yaw=30 engine=liveportrait engine.weights=seeded engine.variant=animal",
            "has no effect here",
        ),
        ("retry=all", "retry='all' must be none, failed or filtered"),
    ],
)
def test_what_makes_no_filter_is_refused(
    typed: str, said: str, tmp_path: Path, generated: Generated, call: Call
) -> None:
    ended = call(f"animate source={generated.portrait} driving={generated.clip} output={tmp_path}/out {typed}")
    assert ended.code == 2 and said in ended.output, ended.output


def test_faces_and_cuts_are_counted_in_the_file(tmp_path: Path, generated: Generated, call: Call) -> None:
    """Of the source a picture of six, of the drivings one with a cut and one without; a performance has neither."""
    frames = [*islice(open_footage(generated.silent_clip, Limits()).frames(), 8)]
    elsewhere = [astronaut(*frames[0].shape[1::-1])[:, ::-1].copy()] * 4
    encode_segment(tmp_path / "cut.mp4", iter([*frames, *elsewhere]), Fraction(25), 14, "veryfast")
    (tmp_path / "nod.perf.csv").write_text("frame,head_yaw\n0,0\n3,10\n")
    sources = [{"uri": str(generated.portrait), "source_id": "one"}, {"uri": str(GROUP_PHOTO), "source_id": "six"}]
    drivings = [{"uri": str(generated.silent_clip), "driving_id": "clip", "end_s": 0.3}]
    drivings += [{"uri": f"{tmp_path}/{name}", "driving_id": name[:3]} for name in ("cut.mp4", "nod.perf.csv")]
    write_manifest(tmp_path / "s.parquet", sources)
    write_manifest(tmp_path / "d.parquet", drivings)
    manifests = f"sources={tmp_path}/s.parquet drivings={tmp_path}/d.parquet output={tmp_path}/out"
    ended = call(
        f"animate {manifests} filter.source.most_faces=2 filter.driving.most_cuts=0 filter.driving.most_faces=1 "
        "paste_back=false runtime=inline"
    )
    assert "2 done, 0 failed, 4 filtered" in ended.output, ended.output
    made = rows(tmp_path / "out")
    assert made["six__clip"]["error"] == "filter.source.most_faces: faces 6 is over 2"
    assert made["one__cut"]["error"] == "filter.driving.most_cuts: cuts 1 is over 0"
    assert {name for name, row in made.items() if row["status"] == "done"} == {"one__clip", "one__nod"}
