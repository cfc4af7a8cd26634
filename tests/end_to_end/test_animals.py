"""Animals in the whole job: seeded weights, tiny networks, and X-Pose at its full size on every picture without a box.

Seeded X-Pose finds noise, not cats: see `tests/face/xpose/stocked.py` for what its points and scores are here.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lp_ray.base.limits import Limits
from lp_ray.face.animal_track import LOOK_EVERY
from lp_ray.face.factory import LandmarkerSpec, create_landmarker
from lp_ray.face.xpose.identity import WEIGHTS, prompts_name
from lp_ray.media.clip import open_footage
from lp_ray.media.gif import read_gif
from lp_ray.media.images import read_image
from lp_ray.models.artefacts import LICENCES
from lp_ray.models.store import LockEntry, WeightStore
from lp_ray.output import results
from tests.face.xpose.stocked import stock_xpose
from tests.generated import CAT_BOX, Generated, nodding_template, write_jpeg
from tests.running import RunJob, write_manifest

ANIMALS = ("engine=liveportrait", "engine.weights=seeded", "engine.size=tiny", "engine.variant=animal")
BOXES = {"cat": CAT_BOX, "mirrored cat": [451 - CAT_BOX[2], CAT_BOX[1], 451 - CAT_BOX[0], CAT_BOX[3]]}
"""Picture -> the box of its face."""
FRAMES = 5
"""0.2 s of templates at 25 frames a second."""


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> WeightStore:
    return stock_xpose(str(tmp_path_factory.mktemp("xpose") / "store (1)"))


@pytest.fixture
def listed(tmp_path: Path) -> WeightStore:
    """A store that lists what X-Pose needs: enough to identify it, before anything is read."""
    made = WeightStore(str(tmp_path / "listed"))
    names = (WEIGHTS, prompts_name(9), prompts_name(68))
    made.write((name, b"", LockEntry("0" * 64, 0, name, "0" * 64, 0, "other", LICENCES["X-Pose"])) for name in names)
    return made


@pytest.fixture
def folder(tmp_path: Path, generated: Generated) -> Path:
    """Animals, a person, a picture of nobody, and two templates of the reference's kind."""
    cat = read_image(generated.cat, Limits())
    write_jpeg(tmp_path / "cat.jpg", cat)
    write_jpeg(tmp_path / "mirrored cat.jpg", np.ascontiguousarray(cat[:, ::-1]))
    write_jpeg(tmp_path / "person.jpg", read_image(generated.portrait, Limits()))
    Image.new("RGB", (640, 480)).save(tmp_path / "empty.png")
    for seed, name in enumerate(("wink", "shy")):
        (tmp_path / f"{name}.pkl").write_bytes(nodding_template(Fraction(25), seed))
    return tmp_path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


def rows_of(output: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["source_id"], row["driving_id"]): row for row in results.read_results(str(output)).to_pylist()}


def path_of(row: dict[str, Any]) -> Path:
    return Path(row["video_uri"].removeprefix("file://"))


def test_animals_of_pictures_and_of_boxes(
    folder: Path, generated: Generated, run_job: RunJob, call_job: RunJob, store: WeightStore, cache: str
) -> None:
    """Every animal moves as every template does, found or boxed, as a video and as a GIF; nothing is looked for twice.

    A picture without an animal has a failed row that says so, and so have people, and all animals of a video at once.
    """
    sources = [{"uri": str(folder / f"{name}.jpg"), "source_id": name} for name in BOXES]
    sources += [{"uri": str(folder / f"{n}.jpg"), "source_id": f"{n} boxed", "box": box} for n, box in BOXES.items()]
    sources += [
        {"uri": str(folder / "empty.png"), "source_id": "empty", "subject": "auto"},
        {"uri": str(folder / "person.jpg"), "source_id": "person", "subject": "auto"},
        {"uri": str(folder / "person.jpg"), "source_id": "said to be human", "subject": "human"},
        {"uri": str(generated.cat_film), "source_id": "film", "box": CAT_BOX, "subject": "animal"},
        {"uri": str(generated.cat_film), "source_id": "film looked at"},
        {"uri": str(generated.cat_film), "source_id": "film of all", "face": "all", "subject": "animal"},
    ]
    drivings = [{"uri": str(folder / f"{name}.pkl"), "driving_id": name, "end_s": 0.2} for name in ("wink", "shy")]
    pairs = [
        {"source_id": source["source_id"], "driving_id": name, "format": kind}
        for source in sources
        for name, kind in (("wink", "auto"), ("shy", "gif"))
    ]
    command = (
        f"sources={write_manifest(folder / 's.parquet', sources)}",
        f"drivings={write_manifest(folder / 'd.parquet', drivings)}",
        f"pairs={write_manifest(folder / 'p.parquet', pairs)}",
        *(f"output={folder / 'out'}", f"xpose.weights={store}", "max_missing_fraction=1", *ANIMALS),
    )
    ended = run_job("animate", *command, LP_RAY_CACHE=cache)
    assert ended.code == 3, ended.output
    rows = rows_of(folder / "out")
    assert len(rows) == len(pairs)
    for name in BOXES:
        size = open_footage(folder / f"{name}.jpg", Limits()).size
        for source in (name, f"{name} boxed"):
            video, gif = rows[source, "wink"], rows[source, "shy"]
            for row in (video, gif):
                assert row["status"] == "done", (row["stage"], row["error_class"], row["error"])
                assert (row["source_width"], row["source_height"]) == size
                assert row["licences"] == ([] if source != name else [LICENCES["X-Pose"], LICENCES["prompts"]])
            made = open_footage(path_of(video), Limits())
            assert (video["kind"], made.n_frames, made.fps) == ("video", FRAMES, Fraction(25))
            assert made.size == (video["width"], video["height"])
            assert (gif["kind"], path_of(gif).suffix) == ("gif", ".gif")
            assert len(read_gif(path_of(gif)).delays) == FRAMES
        found, boxed = (rows[source, "wink"]["sha256"] for source in (name, f"{name} boxed"))
        assert found != boxed
    for driving in ("wink", "shy"):
        empty, person = rows["empty", driving], rows["person", driving]
        assert (empty["status"], empty["stage"], empty["error_class"]) == ("failed", "source", "NoFaceError")
        assert "no animal's face" in empty["error"] and "xpose.min_score=0.1" in empty["error"]
        assert (person["status"], person["error_class"]) == ("failed", "UnsupportedError")
        assert "engine.variant=human" in person["error"] and "subject=animal" in person["error"]
        human, film, of_all = (rows[name, driving] for name in ("said to be human", "film", "film of all"))
        assert human["error_class"] == "UnsupportedError"
        looked_at = rows["film looked at", driving]
        for row in (film, looked_at):
            assert (row["status"], row["n_frames"]) == ("done", FRAMES), row["error"]
        assert film["source_frames_without_face"] == 0
        assert looked_at["source_frames_without_face"] == LOOK_EVERY - 1, "noise in a corner, which nobody can follow"
        assert film["sha256"] != looked_at["sha256"] and LICENCES["X-Pose"] in looked_at["licences"]
        assert (of_all["stage"], of_all["error_class"]) == ("plan", "UnsupportedError")
        assert "of a video choose one face" in of_all["error"]
    kept = sorted((folder / "out" / "templates" / "faces").iterdir())
    assert len(kept) == len(BOXES) + 1, "one answer for each picture, the empty one's too"
    check_kept(kept, read_image(folder / "cat.jpg", Limits()), store)
    assert "nothing to do" in call_job("animate", *command, LP_RAY_CACHE=cache).output


def check_kept(kept: list[Path], image: Any, store: WeightStore) -> None:
    """What the job kept of a picture is what X-Pose finds in it here."""
    landmarker, before = create_landmarker(LandmarkerSpec("xpose", str(store))), torch.get_num_threads()
    answers = [json.loads(path.read_text()) for path in kept]
    assert [] in answers
    found = [[np.array(face["points"]) for face in answer] for answer in answers if answer]
    assert all(points.shape == (9, 2) for answer in found for points in answer)
    apart = []
    # seeded weights score many candidates alike: which of them is left depends on the order of sums, hence on threads
    for threads in range(1, 5):
        torch.set_num_threads(threads)
        here = landmarker.detect(image)
        apart += [np.abs(points - face.points).max() for answer in found for points in answer for face in here]
    torch.set_num_threads(before)
    assert min(apart) < 2  # pixels; faces of other candidates are tens apart


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("xpose.weights=/nowhere",), "xpose.weights: an animal without a box is found by X-Pose"),
        (("xpose.weights=/nowhere", "subject=auto"), "lp-ray weights pull"),
        (("xpose.points=7",), "xpose.points=7 must be one of 9, 68"),
        (("xpose.device=cuda", "cluster.num_cpus=4"), "the cluster has none: use xpose.device=cpu"),
        (("subject=plant",), "subject='plant' must be one of human, animal, auto"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    folder: Path, call_job: RunJob, listed: WeightStore, arguments: tuple[str, ...], words: str
) -> None:
    one = (f"source={folder / 'cat.jpg'}", f"driving={folder / 'wink.pkl'}")
    ended = call_job("animate", *one, f"output={folder / 'o'}", f"xpose.weights={listed}", *ANIMALS, *arguments)
    assert ended.code == 2 and words in ended.output, ended.output
    assert not (folder / "o" / "results").exists()


def test_a_picture_that_is_a_crop_needs_no_xpose(folder: Path, call_job: RunJob) -> None:
    ended = call_job(
        "animate",
        *(f"source={folder / 'cat.jpg'}", f"driving={folder / 'wink.pkl'}", "end_s=0.2"),
        *(f"output={folder / 'o'}", "xpose.weights=/nowhere", "flag_do_crop=false", "paste_back=false", *ANIMALS),
    )
    assert ended.code == 0, ended.output
