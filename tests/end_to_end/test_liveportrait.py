"""The liveportrait engine in the whole job: seeded weights, tiny networks, real inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lp_ray.motion.template import TemplateReader
from lp_ray.output import results
from tests.generated import Generated
from tests.running import NOD_FRAMES, Performances, RunJob, write_manifest

SEEDED = ("engine=liveportrait", "engine.weights=seeded", "engine.size=tiny")


def test_pairs_with_options_of_their_own(
    tmp_path: Path, generated: Generated, performances: Performances, call_job: RunJob
) -> None:
    """Each row gets its own options; the one template is shared; seeded weights are marked in the results. In one
    process: test_kinds.py has the engine on Ray."""
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": str(generated.portrait), "source_id": "s"}])
    drivings = write_manifest(
        tmp_path / "d.parquet", [{"uri": str(performances.nod), "driving_id": "nod", "end_s": 0.4}]
    )
    ways = [
        {"animation_region": "all"},
        {"animation_region": "lip", "driving_reference": "neutral"},
        {"flag_relative_motion": False, "flag_stitching": False},
        {"flag_eye_retargeting": True, "flag_lip_retargeting": True},
        {"driving_reference": "99"},
    ]
    pairs = write_manifest(
        tmp_path / "p.parquet", [{"source_id": "s", "driving_id": "nod", "paste_back": False, **way} for way in ways]
    )
    manifests = (f"sources={sources}", f"drivings={drivings}", f"pairs={pairs}")
    ended = call_job("animate", *manifests, f"output={tmp_path / 'o'}", *SEEDED, "runtime=inline")
    assert ended.code == 3, ended.output
    rows = results.read_results(str(tmp_path / "o")).to_pylist()
    assert all(row["engine"] == "liveportrait (seeded:tiny)" for row in rows)
    done = [row for row in rows if row["status"] == "done"]
    assert len({row["sha256"] for row in done}) == len(done) == 4
    assert {row["n_frames"] for row in done} == {12} and NOD_FRAMES > 12
    failed = [row for row in rows if row["status"] == "failed"]
    assert [(row["stage"], row["error_class"]) for row in failed] == [("animate", "UnsupportedError")]
    assert "frames 0 to 11" in failed[0]["error"]
    (template,) = (tmp_path / "o" / "templates").glob("*.npz")
    assert {"R", "exp", "kp", "scale", "t", "x_s"} <= TemplateReader(template).names


def test_the_references_templates_drive_portraits(
    tmp_path: Path, media: Path, generated: Generated, call_job: RunJob
) -> None:
    """Its .pkl files in the old and in the new style are drivings; test_kinds.py has malicious ones."""
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": str(generated.portrait), "source_id": "s"}])
    templates = media / "templates"
    drivings = write_manifest(
        tmp_path / "d.parquet",
        [
            {"uri": str(templates / "d5.pkl"), "driving_id": "old", "end_s": 1.0},
            {"uri": str(templates / "wink.pkl"), "driving_id": "new"},
        ],
    )
    command = (f"sources={sources}", f"drivings={drivings}", "paste_back=false")
    ended = call_job("animate", *command, f"output={tmp_path / 'o'}", *SEEDED)
    assert ended.code == 0, ended.output
    rows = {row["driving_id"]: row for row in results.read_results(str(tmp_path / "o")).to_pylist()}
    assert {name: row["status"] for name, row in rows.items()} == {"old": "done", "new": "done"}
    assert rows["old"]["n_frames"] == 30 and not rows["old"]["has_audio"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("engine=liveportrait", "engine.weights={tmp}/none"), "lp-ray weights"),
        ((*SEEDED, "engine.variant=cat"), "engine.variant='cat'"),
        ((*SEEDED, "animation_region=nose"), "animation_region='nose'"),
        ((*SEEDED, "driving_reference=last"), "driving_reference='last'"),
        (("flag_lip_retargeting=true",), "flag_lip_retargeting=True has no effect with engine=preview"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    tmp_path: Path, call_job: RunJob, arguments: tuple[str, ...], words: str
) -> None:
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": "a.jpg"}])
    drivings = write_manifest(tmp_path / "d.parquet", [{"uri": "a.mp4"}])
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    ended = call_job("animate", f"sources={sources}", f"drivings={drivings}", f"output={tmp_path / 'o'}", *given)
    assert ended.code == 2 and words in ended.output, ended.output
    assert not (tmp_path / "o").exists()
