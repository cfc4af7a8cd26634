"""Labels and metrics of finished videos: whole jobs in one process."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import lp_ray
from lp_ray import LivePortraitPipeline
from lp_ray.base.errors import NoLabelsError, RefusedError
from lp_ray.contract.measuring import LABELS_COLUMN, METRICS_COLUMN
from lp_ray.face.insightface.files import ARCFACE, arcface_name
from lp_ray.labels.table import BY_NAME, COLUMNS
from lp_ray.output import results
from lp_ray.quality.table import NAMES
from tests.face.insightface.models import stock_store, write_models
from tests.generated import CAT_BOX, GROUP_PHOTO, NOD_FRAMES, Generated
from tests.jobs.conftest import Call, call
from tests.running import Performances, write_manifest

__all__ = ["call"]

Row = dict[str, Any]
PREVIEW = {"engine": "preview"}
SEEDED = {"weights": "seeded", "size": "tiny"}


def animate(output: Path, source: Path, driving: Path, settings: Row, **arguments: Any) -> Row:
    return LivePortraitPipeline(**settings).animate(source, driving, output, **arguments)


@pytest.fixture(scope="module")
def nodding(
    tmp_path_factory: pytest.TempPathFactory, generated: Generated, performances: Performances
) -> tuple[Path, Row]:
    """A whole result with everything, and its output."""
    output = tmp_path_factory.mktemp("nodding")
    settings = {**PREVIEW, "labels": "full", "metrics": "full"}
    return output, animate(output, generated.portrait, performances.nod, settings)


OF_EDITS = {"asked_controls"}
"""Of pairs without an edit, whose driving is a clip, not known."""


def test_every_frame_is_labelled(nodding: tuple[Path, Row]) -> None:
    """All columns of the table that this engine can fill, of the declared shape and type, one row per frame."""
    output, row = nodding
    labels = lp_ray.read_labels(output, row["pair_id"])
    assert (labels.n_frames, labels.fps) == (row["n_frames"], Fraction(30000, 1001)) and row["n_frames"] == NOD_FRAMES
    assert (labels.width, labels.height, labels.face, labels.n_faces) == (row["width"], row["height"], 0, 1)
    assert set(labels.names) == {column.name for column in COLUMNS if column.engine in ("", "preview")} - OF_EDITS
    for name in labels.names:
        assert labels[name].shape == (row["n_frames"], *BY_NAME[name].shape), name
        stored = "float32" if name == "landmarks" else BY_NAME[name].dtype
        assert labels[name].dtype == stored and np.isfinite(labels[name]).all(), name
    assert labels["face_present"].all()
    inside = (labels["landmarks"][:, :, 0].max(1) - labels["face_box"][:, 2]) ** 2
    assert inside.max() < 0.2**2, "stored as halves, places stay within a fifth of a pixel"
    assert labels.blendshape("jawOpen").shape == (row["n_frames"],)
    assert labels["driving_frame"].tolist() == list(range(row["n_frames"]))


def test_what_was_asked_for_is_what_is_measured(nodding: tuple[Path, Row], performances: Performances) -> None:
    """Head poses asked for and measured agree, in the same axes, and follow the turns of the driving."""
    output, row = nodding
    labels = lp_ray.read_labels(output, row["pair_id"])
    asked, measured = labels["asked_head_pose"], labels["head_pose"]
    for axis, moving in enumerate((slice(60, None), slice(0, 60))):  # shakes in the third second, nods before
        assert np.corrcoef(asked[moving, axis], measured[moving, axis])[0, 1] > 0.9
    assert np.abs(asked - measured).mean() < 3
    assert np.corrcoef(performances.nod_curves.yaw[60:], labels["asked_turn"][60:, 0])[0, 1] > 0.9
    assert row["pose_error"] < 5


def test_every_metric_is_a_column(nodding: tuple[Path, Row]) -> None:
    output, row = nodding
    assert set(NAMES) <= row.keys()
    lacking = {name for name in NAMES if row[name] is None}
    assert lacking == {"lip_loudness", "psnr", "ssim", "identity_arcface"}, "no sound, no model"
    assert len(row["source_face"]) == 128
    assert row["identity_mean"] > 0.9 and row["lost_share"] == 0 and row["faces_mean"] >= 1
    table = results.read_results(str(output))
    assert all(table.schema.field(name).type == "double" for name in NAMES)
    (part,) = (output / "results").glob("*.parquet")
    assert pq.read_table(part)["labels_uri"].to_pylist() == [f"labels/{row['pair_id']}.parquet"]
    assert row["seconds"]["measure"] > 0


def test_a_pair_is_made_again_until_it_has_what_is_asked(
    tmp_path: Path, generated: Generated, performances: Performances
) -> None:
    """Nothing of the settings is in the key. Less than there is, or the same again, makes nothing; labels that are lost
    are made again."""

    def run(**settings: str) -> Row:
        return animate(tmp_path, generated.portrait, performances.nod, {**PREVIEW, **settings}, end_s=0.4)

    plain = run()
    assert not {"labels_uri", LABELS_COLUMN, METRICS_COLUMN, *NAMES} & plain.keys()
    asked = run(labels="asked")
    assert asked["pair_id"] == plain["pair_id"] and asked["sha256"] == plain["sha256"]
    assert asked["finished_at"] > plain["finished_at"] and asked[LABELS_COLUMN] == "asked"
    fast = run(labels="asked", metrics="fast")
    assert fast["finished_at"] > asked["finished_at"] and fast["seam"] is None and fast["jitter_own"] is not None
    full = run(labels="full", metrics="fast")
    assert full["finished_at"] > fast["finished_at"]
    for enough in ({}, {"labels": "asked"}, {"metrics": "fast"}, {"labels": "full", "metrics": "fast"}):
        assert run(**enough)["finished_at"] == full["finished_at"]
    (file,) = (tmp_path / "labels").iterdir()
    file.unlink()
    assert run()["finished_at"] == full["finished_at"], "labels that nobody asks for are not missed"
    again = run(labels="full", metrics="fast")
    assert again["finished_at"] > full["finished_at"] and file.exists()


def test_arcface_of_the_user_s_store(tmp_path: Path, generated: Generated) -> None:
    """Measured beside the carried network, and the row says by which model."""
    store = stock_store(str(tmp_path / "store"), write_models(tmp_path / "models"), [ARCFACE])
    settings = {**PREVIEW, "metrics": "fast", "metrics_arcface": str(tmp_path / "store")}
    row = animate(tmp_path / "out", generated.portrait, generated.clip, settings, end_s=0.2)
    assert 0.5 < row["identity_arcface"] <= 1 and row["identity_arcface_model"] == arcface_name(store)
    with pytest.raises(RefusedError, match=r"metrics_arcface: .*has no shared/w600k_r50.onnx"):
        stock_store(str(tmp_path / "without"), tmp_path / "models")
        animate(tmp_path, generated.portrait, generated.clip, settings | {"metrics_arcface": str(tmp_path / "without")})


def test_who_is_named_is_not_known_by_the_face(tmp_path: Path, generated: Generated, call: Call) -> None:
    """The embedding of the source is for splits; a `subject_id` says it better, and no embedding is kept."""
    sources = [
        {"source_id": "a", "uri": str(generated.portrait), "subject_id": "ann"},
        {"source_id": "b", "uri": str(generated.closed_mouth)},
    ]
    write_manifest(tmp_path / "s.parquet", sources)
    write_manifest(tmp_path / "d.parquet", [{"driving_id": "d", "uri": str(generated.clip), "end_s": 0.2}])
    manifests = f"sources={tmp_path}/s.parquet drivings={tmp_path}/d.parquet"
    assert call(f"animate {manifests} output={tmp_path}/out metrics=fast runtime=inline").code == 0
    rows = {row["source_id"]: row for row in results.read_results(str(tmp_path / "out")).to_pylist()}
    assert rows["a"]["source_face"] is None and len(rows["b"]["source_face"]) == 128


def test_what_was_asked_for_alone(tmp_path: Path, generated: Generated, performances: Performances) -> None:
    """labels=asked: nothing that needs the finished video, no tracks of the driving, no metric."""
    row = animate(tmp_path, generated.portrait, performances.nod, {**PREVIEW, "labels": "asked"}, end_s=0.4)
    labels = lp_ray.read_labels(tmp_path, row["pair_id"])
    known = {c.name for c in COLUMNS if c.level == "asked" and c.engine in ("", "preview")}
    assert set(labels.names) == known - OF_EDITS
    assert not (tmp_path / "templates" / "tracks").exists() and "measure" in row["seconds"]
    assert not set(NAMES) & row.keys()


@pytest.mark.parametrize("engine", [PREVIEW, SEEDED])
def test_without_paste_back_without_landmarks(
    tmp_path: Path, generated: Generated, performances: Performances, engine: Row
) -> None:
    """The video is the crop then. LivePortrait tells its keypoints and expression."""
    settings = {**engine, "labels": "full", "labels_landmarks": False, "metrics": "fast"}
    row = animate(tmp_path, generated.portrait, performances.nod, settings, end_s=0.3, paste_back=False)
    labels = lp_ray.read_labels(tmp_path, row["pair_id"])
    assert "landmarks" not in labels and (labels.width, labels.height) == (512, 512)
    assert np.allclose(labels["crop_to_picture"], np.eye(2, 3))
    if engine is SEEDED:  # seeded networks draw no faces
        assert labels["asked_keypoints"].shape == labels["asked_expression"].shape == (row["n_frames"], 21, 3)
        assert np.allclose(labels["asked_turn"][0], 0, atol=1e-3), "relative motion begins at the source's own pose"
        assert not labels["face_present"].any() and row["lost_share"] == 1 and row["identity_mean"] is None
        assert np.isnan(labels["head_pose"]).all() and np.isfinite(labels["asked_head_pose"]).all()
    else:
        assert labels["face_present"].all() and row["pose_error"] < 5


@pytest.mark.parametrize("made", ["gif", "frames", "png"])
def test_every_format(tmp_path: Path, generated: Generated, made: str) -> None:
    settings = {**PREVIEW, "labels": "full", "metrics": "full"}
    driving, cut = (generated.still, {}) if made == "png" else (generated.clip, {"end_s": 0.3})
    row = animate(tmp_path, generated.portrait, driving, settings, format=made, **cut)
    labels = lp_ray.read_labels(tmp_path, row["pair_id"])
    assert labels.n_frames == row["n_frames"] == len(labels["head_pose"]) and labels["face_present"].all()
    assert labels.n_frames == (1 if made == "png" else 9) and (labels.fps is None) == (made == "png")
    assert ("asked_blendshapes" in labels) == (made != "png"), "one picture does not tell from what it has moved"
    assert row["pose_error"] < 6 and row["kind"] == {"png": "image"}.get(made, made)


def test_a_source_video(tmp_path: Path, generated: Generated, performances: Performances) -> None:
    """What is asked for is over its own pose in every frame. Sound gives the lips something to follow."""
    settings = {**PREVIEW, "labels": "full", "metrics": "full"}
    row = animate(tmp_path, generated.film, performances.talk, settings, end_s=1.0)
    labels = lp_ray.read_labels(tmp_path, row["pair_id"])
    assert labels.n_frames == row["n_frames"] > 20 and "asked_head_pose" in labels
    assert np.abs(labels["asked_head_pose"] - labels["head_pose"]).mean() < 3
    assert row["lip_loudness"] is not None and row["seam"] is not None


def test_self_reenactment(tmp_path: Path, generated: Generated) -> None:
    """A film that drives itself is compared with its own frames; nearly nothing changes."""
    row = animate(tmp_path, generated.film, generated.film, {**PREVIEW, "metrics": "full"}, end_s=0.4)
    assert row["psnr"] > 25 and row["ssim"] > 0.8


def test_chunks_that_are_no_multiple_of_what_is_measured_at_once(tmp_path: Path, generated: Generated) -> None:
    """Labels do not depend on how the pair was cut."""
    made = []
    for chunk in (5, 32):
        settings = {**PREVIEW, "labels": "full", "metrics": "fast", "chunk_frames": chunk}
        row = animate(tmp_path / str(chunk), generated.portrait, generated.clip, settings, end_s=0.5)
        made.append(lp_ray.read_labels(tmp_path / str(chunk), row["pair_id"]))
    for name in made[0].names:
        if name.startswith("asked"):
            assert np.allclose(made[0][name], made[1][name], atol=1e-5), name
    assert made[0].n_frames == made[1].n_frames == 15


def test_of_several_people_the_largest_face_is_labelled(tmp_path: Path, generated: Generated) -> None:
    settings = {**PREVIEW, "labels": "full", "metrics": "fast"}
    row = animate(tmp_path, GROUP_PHOTO, generated.clip, settings, face="all", end_s=0.2)
    labels = lp_ray.read_labels(tmp_path, row["pair_id"])
    assert labels.n_faces == 6 and 0 <= labels.face < 6 and labels["face_present"].all()
    x, y = labels["crop_to_picture"][0] @ [256, 256, 1]
    x0, y0, x1, y1 = labels["face_box"][0]
    assert x0 < x < x1 and y0 < y < y1, "what is measured and what was asked are of one face"


def test_a_driving_is_measured_once(tmp_path: Path, generated: Generated) -> None:
    """Its tracks lie beside the templates; another pair, and another job, find them there."""
    settings, store = {**PREVIEW, "metrics": "fast"}, tmp_path / "store"
    animate(tmp_path / "one", generated.portrait, generated.clip, settings, end_s=0.3, templates=store)
    (tracks,) = (store / "tracks").iterdir()
    before = tracks.stat().st_mtime_ns
    animate(tmp_path / "two", generated.closed_mouth, generated.clip, settings, end_s=0.3, templates=store)
    assert [path.stat().st_mtime_ns for path in (store / "tracks").iterdir()] == [before]


def test_made_twice_labels_are_one_file(tmp_path: Path, generated: Generated) -> None:
    """As by a job that died before the row, or by a second writer: the same bytes under the same name."""
    outputs = [tmp_path / "one", tmp_path / "other"]
    for output in outputs:
        for _ in range(2):
            row = animate(output, generated.portrait, generated.clip, {**PREVIEW, "labels": "full"}, end_s=0.2)
            (table,) = (output / "results").iterdir()
            table.unlink()
        assert [path.stem for path in (output / "labels").iterdir()] == [row["pair_id"]]
    files = [next((output / "labels").iterdir()).read_bytes() for output in outputs]
    assert files[0] == files[1]


def test_animals_are_refused(tmp_path: Path, generated: Generated) -> None:
    animals = lp_ray.LivePortraitPipelineAnimal(**SEEDED, labels="full")
    with pytest.raises(RefusedError, match=r"variant=animal.*use labels=asked"):
        animals.animate(generated.cat, generated.template, tmp_path, box=CAT_BOX, end_s=0.2)
    animals = lp_ray.LivePortraitPipelineAnimal(**SEEDED, labels="asked")
    row = animals.animate(generated.cat, generated.template, tmp_path, box=CAT_BOX, end_s=0.2)
    assert lp_ray.read_labels(tmp_path, row["pair_id"])["asked_keypoints"].shape[0] == row["n_frames"]


def test_bad_settings_are_refused_by_name(tmp_path: Path, generated: Generated) -> None:
    for settings, said in (
        ({"labels": "all"}, "labels='all' must be one of none, asked, full"),
        ({"metrics": 1}, "metrics=1"),
        ({"metrics_device": "gpu", "metrics": "fast"}, "metrics_device='gpu' must be cpu, cuda"),
        ({"metrics_device": "cuda"}, "metrics_device='cuda' has no effect with metrics=none"),
        ({"metrics_arcface": "store"}, r"metrics_arcface='.*store' has no effect with metrics=none"),
    ):
        with pytest.raises(RefusedError, match=said):
            animate(tmp_path, generated.portrait, generated.clip, {**PREVIEW, **settings})


def test_labels_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoLabelsError, match="no labels of this pair"):
        lp_ray.read_labels(tmp_path, "a" * 32)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / f"{'a' * 32}.parquet").write_bytes(b"half a file")
    with pytest.raises(NoLabelsError, match="delete it"):
        lp_ray.read_labels(tmp_path, "a" * 32)
