"""The studio's parts without a page: fields from declarations, live edits, visitors, what batches are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import lp_ray
from jobs.progress import describe
from lp_ray.base.errors import LpRayError, RefusedError
from lp_ray.contract.edits import CONTROLS
from lp_ray.contract.options import option_names
from lp_ray.coordinator.reporting import Progress as Counts
from lp_ray.engine.protocol import EngineSpec
from lp_ray.storage import Policy
from lp_ray.studio.animate import _controls
from lp_ray.studio.batch import _COUNT, BatchJobs, Progress
from lp_ray.studio.batches import _pairing, _settings, progress_bar
from lp_ray.studio.editor import Editor
from lp_ray.studio.forms import control_field, controls_of, given, option_field, options_of
from lp_ray.studio.given import Given, check, gather, keep, manifest
from lp_ray.studio.shared import Place, Shared
from lp_ray.studio.views import View
from lp_ray.studio.visitors import Visitor, Visitors, folder_name
from tests.generated import Generated


def test_the_page_s_engine_has_its_own_settings_in_every_tab(tmp_path: Path) -> None:
    """What the command was told, `engine.execution=eager`, holds for Animate and Video lips as for Edit."""
    engine = EngineSpec("liveportrait", weights="seeded", size="tiny", settings=(("execution", "eager"),))
    shared = Shared(Place(tmp_path, tmp_path, engine))
    assert dict(shared.pipeline._engine.settings)["execution"] == "eager"
    assert dict(shared.editor._settings.engine.settings)["execution"] == "eager"


@pytest.mark.parametrize(
    ("name", "video", "picture"),
    [
        ("a.mp4", True, False),
        ("a.webm", True, False),
        ("a.gif", False, True),
        ("a.png", False, True),
        ("a.mov", False, False),
        ("a.zip", False, False),
        (None, False, False),
    ],
)
def test_a_file_is_shown_as_what_browsers_play(name: str | None, video: bool, picture: bool) -> None:
    view = View("Result", "result", "still", scale=1)
    assert view.values(name) == [name if can else None for can in (video, picture)]
    assert [field.visible for field in view.seen(name)] == [video, picture]


def test_every_option_and_control_has_one_field_with_its_own_words() -> None:
    shown = [option for group in options_of("liveportrait", "human").values() for option in group]
    controls = controls_of("liveportrait")
    assert sorted([o.name for o in shown] + [c.name for c in controls] + ["edit"]) == sorted(option_names())
    for option in shown:
        field = option_field(option)
        assert (field.label, field.info) == (option.name, option.metadata["help"]) and field.value == option.default
    for control in controls:
        field = control_field(control)
        assert field.label == control.name and control.text in field.info and field.maximum == control.high
    preview = [option.name for group in options_of("preview", "human").values() for option in group]
    assert "flag_stitching" not in preview and "driving_multiplier" in preview
    assert len(controls_of("preview")) == sum(control.preview for control in CONTROLS)


def test_only_what_was_moved_is_given() -> None:
    names = ["smile", "head_z", "lip_ratio", "crf", "paste_back"]
    assert given(names, (0, 1, -1.0, 18, True)) == {}
    assert given(names, (0.5, 1.1, -0.4, 20.0, False)) == {"smile": 0.5, "head_z": 1.1, "crf": 20, "paste_back": False}
    assert given(names, (None, 1, 0.0, 18, True)) == {"lip_ratio": 0.0}


@pytest.mark.parametrize("engine", [EngineSpec("preview"), EngineSpec("liveportrait", weights="seeded", size="tiny")])
def test_a_live_edit_is_what_a_job_makes(engine: EngineSpec, tmp_path: Path, generated: Generated) -> None:
    """Pixel by pixel, for two sources at once and in any order; a face that is not there is told as a job tells it."""
    editor = Editor(engine, tmp_path / "scratch", Policy())
    pipeline = lp_ray.LivePortraitPipeline(engine.weights, size=engine.size, engine=engine.name)
    sources = (generated.portrait, generated.closed_mouth)
    opened = [editor.open(source) for source in sources]
    for edit in ({}, {"smile": 0.8}, {"head_yaw": 10.0, "blink": 1.0}):
        for source, one in zip(sources, opened, strict=True):
            (made,) = pipeline.frames(source, "none", **edit)
            assert np.array_equal(editor.picture(one, edit), made), edit
    plain, turned = (editor.picture(opened[0], edit) for edit in ({}, {"head_yaw": 10.0}))
    assert not np.array_equal(plain, turned), "one edit after the other, of one source"
    with pytest.raises(LpRayError, match="no face"):
        editor.open(generated.cat)
    assert not (tmp_path / "scratch").exists(), "what was opened leaves no file, and what could not be opened neither"
    with pytest.raises(RefusedError, match="smile=9"):
        editor.picture(opened[0], {"smile": 9})


def visitor_of(visitors: Visitors, session: str) -> Visitor:
    """Return a visitor for whom something was made just now."""
    with visitors.at_work(session) as visitor:
        return visitor


def test_a_visitor_has_a_folder_that_goes_with_them(tmp_path: Path) -> None:
    visitors = Visitors(tmp_path, tmp_path / "uploads")
    one, other = visitor_of(visitors, "a"), visitor_of(visitors, "b")
    assert one.folder != other.folder and visitor_of(visitors, "a") is one and one.folder.stat().st_mode & 0o077 == 0
    (one.folder / "x").write_text("x")
    visitors.leaves("a")
    visitors.leaves("a")
    assert not one.folder.exists() and other.folder.is_dir() and visitor_of(visitors, "a").folder != one.folder


@pytest.mark.parametrize("session", [None, ""])
def test_nobody_is_a_visitor(session: str | None, tmp_path: Path) -> None:
    """Two who have no session would be one, and see each other's pictures."""
    visitors = Visitors(tmp_path, tmp_path / "uploads")
    with pytest.raises(RefusedError, match="this call has none"), visitors.at_work(session):
        pytest.fail("something was made for nobody")
    visitors.leaves(session)
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_for_one_who_left_goes_when_it_is_made(tmp_path: Path) -> None:
    """Their folder and files stay as long as anything works with them; who returns begins anew."""
    shown = tmp_path / "uploads" / "01" / "made.mp4"
    (tmp_path / "visitors").mkdir()
    visitors = Visitors(tmp_path / "visitors", tmp_path / "uploads")
    with visitors.at_work("a") as gone:
        with visitors.at_work("a"):
            visitors.leaves("a")
        shown.parent.mkdir(parents=True)
        for file in (gone.folder / "made.mp4", shown):
            file.write_bytes(b"x")
        visitors.note(gone, str(shown))
        with visitors.at_work("b") as other:
            visitors.note(other, str(shown))
        visitors.leaves("b")
        again = visitor_of(visitors, "a")
        assert again is not gone and gone.folder.is_dir() and shown.exists(), "it is still being made"
    assert list((tmp_path / "visitors").iterdir()) == [again.folder] and not shown.exists()


def test_who_does_nothing_for_long_is_taken_to_have_left(tmp_path: Path) -> None:
    now = [0.0]
    visitors = Visitors(tmp_path, tmp_path / "uploads", clock=lambda: now[0])
    silent, lively = visitor_of(visitors, "a"), visitor_of(visitors, "b")
    with visitors.at_work("c") as busy:
        now[0] = 90.0
        visitor_of(visitors, "b")
        now[0] = 101.0
        visitors.sweep(100.0)
        assert not silent.folder.exists() and lively.folder.is_dir() and busy.folder.is_dir()
        assert visitor_of(visitors, "b") is lively and visitor_of(visitors, "c") is busy


def test_uploads_go_with_the_last_who_gave_them_and_nothing_else_does(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    places = [uploads / "01" / "own.jpg", uploads / "02" / "both.jpg", uploads / "02" / "other name.jpg"]
    elsewhere = tmp_path / "mine.jpg"
    for path in (*places, elsewhere):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "visitors").mkdir()
    visitors = Visitors(tmp_path / "visitors", uploads)
    visitors.note(
        visitor_of(visitors, "a"), [str(places[0]), str(places[1]), str(elsewhere), f"{uploads}/../mine.jpg", None, 3]
    )
    visitors.note(visitor_of(visitors, "b"), str(places[1]))
    visitors.note(visitor_of(visitors, "c"), [str(uploads / "gone" / "x.jpg"), ""])
    visitors.leaves("a")
    assert [path.exists() for path in places] == [False, True, True] and not places[0].parent.exists()
    visitors.leaves("b")
    visitors.leaves("c")
    assert [path.exists() for path in places] == [False, False, True] and elsewhere.exists()


def test_what_another_has_uploaded_since_stays(tmp_path: Path) -> None:
    """They wait in the queue, so that it is not yet known whose it is. One who uploads again is no other."""
    place, fresh = tmp_path / "uploads" / "01" / "face.jpg", tmp_path / "fresh.jpg"
    place.parent.mkdir(parents=True)
    (tmp_path / "visitors").mkdir()
    visitors = Visitors(tmp_path / "visitors", tmp_path / "uploads")

    def upload() -> None:
        fresh.write_bytes(b"x")
        fresh.replace(place)

    upload()
    visitors.note(visitor_of(visitors, "a"), str(place))
    upload()
    visitors.leaves("a")
    assert place.exists()
    visitors.note(visitor_of(visitors, "b"), str(place))
    upload()
    visitors.note(visitor_of(visitors, "b"), str(place))
    visitors.leaves("b")
    assert not place.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc", "a\x00b", "-x", "x" * 65, "a b", "é"])
def test_a_name_leads_nowhere_else(name: str) -> None:
    with pytest.raises(RefusedError, match="must be 1 to 64 letters"):
        folder_name(name)


def test_dropped_files_become_a_manifest(tmp_path: Path) -> None:
    files = Given([f"{tmp_path}/a.jpg", f"{tmp_path}/sub/a.jpg", f"{tmp_path}/b.png"])
    made = manifest(files, "source", tmp_path / "new")
    assert pq.read_table(made).to_pydict()["source_id"] == ["a-0", "a-1", "b"]
    assert manifest(Given(["mine.parquet"]), "source", tmp_path) == Path("mine.parquet")
    assert pq.read_table(manifest(Given(["x.perf.csv"]), "driving", tmp_path)).num_rows == 1
    assert manifest(Given(["mine.tsv"]), "source", tmp_path) == Path("mine.tsv"), "whatever a command reads"
    check(Given(["mine.parquet"]), "source", manifests=True)
    with pytest.raises(RefusedError, match="names files of the server"):
        check(Given(["mine.parquet"]), "source", manifests=False)
    for found, said in (
        (Given([]), "give a manifest"),
        (Given(["a.csv", "b.jpg"]), "not both"),
        (Given([], ["notes.txt"]), "no picture or clip in the folder"),
    ):
        with pytest.raises(RefusedError, match=said):
            check(found, "source", manifests=True)


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["face.jpg", "face.png", "face-0.jpg"], ["face-3", "face-1", "face-0"]),
        (["face-0.jpg", "face.jpg", "face.png", "face-2.jpg", "face-5.jpg"], ["face-0", "face-1", "face-6", "face-2"]),
        (["a.jpg", "a.png", "a-1.jpg", "a-1.png"], ["a-0", "a-1", "a-1-2", "a-1-3"]),
    ],
)
def test_no_two_dropped_files_have_one_id(names: list[str], ids: list[str], tmp_path: Path) -> None:
    """Whatever they are called; where nothing is in the way, the ids are those under which results are stored."""
    made = pq.read_table(manifest(Given(names), "source", tmp_path)).to_pydict()["source_id"]
    assert made[: len(ids)] == ids and len(set(made)) == len(names)


def test_of_a_folder_pictures_and_clips_are_taken_by_name_and_the_rest_is_told() -> None:
    found = gather("source", ["/u/1/z.jpg"], ["/u/3/b.MP4", "/u/2/a.jpg", "/u/4/notes.txt", "/u/5/x.npz"])
    assert found.files == ["/u/1/z.jpg", "/u/2/a.jpg", "/u/3/b.MP4"]
    assert found.note("source") == ["sources: left out of the folder, as no source: notes.txt, x.npz"]
    assert gather("driving", None, ["/u/5/x.npz"]).files == ["/u/5/x.npz"] and gather("driving", None, None).files == []
    many = gather("source", [], [f"/u/{i}.txt" for i in range(8)])
    assert many.note("source")[0].endswith("0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 3 more")


def test_what_a_batch_was_given_stays_with_it_at_the_same_place(tmp_path: Path) -> None:
    """A plan copies nothing; a second start neither copies nor changes what is there."""
    upload = tmp_path / "uploads" / "0123" / "a.jpg"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"a")
    given, kept = Given([str(upload)], ["x"]), tmp_path / "out" / "inputs"
    assert keep(given, kept, write=False) == given and not kept.exists()
    first = keep(given, kept, write=True)
    before = (kept / "0123" / "a.jpg").stat()
    upload.write_bytes(b"a")
    assert keep(given, kept, write=True) == keep(given, kept, write=False) == first
    assert first == Given([str(kept / "0123" / "a.jpg")], ["x"]) and (kept / "0123" / "a.jpg").stat() == before
    assert [path.name for path in (kept / "0123").iterdir()] == ["a.jpg"]


def test_the_progress_of_a_job_is_read_from_what_it_prints() -> None:
    assert progress_bar(None) == "" == progress_bar(Progress("pairs", 0, 0, 0))
    bar = progress_bar(Progress("pairs", 3, 8, 1))
    assert "pairs: 3 of 8, 1 failed" in bar and 'max="8" value="3"' in bar
    line = describe(Counts("pairs", 8, done=2, failed=1, frames=40), 2.0)
    found = _COUNT.match(line)
    assert found is not None and found.groups() == ("pairs", "3", "8", "1"), line


@pytest.mark.parametrize("each", [0, 1.5, True, None, "2"])
def test_pairing_is_a_rule_and_a_number(each: object) -> None:
    assert _pairing("zip", each) == ["pairing=zip"] and _pairing("random", 2.0)[1] == "pairing.per_source=2"
    with pytest.raises(RefusedError, match="drivings for each source="):
        _pairing("random", each)
    with pytest.raises(RefusedError, match="must be one of cross, zip, random"):
        _pairing("${oc.env:HOME}", 1)


OTHERS = [
    "output=/x",
    "crf",
    "engine.weights=/x",
    "templates=/x",
    "+output=x",
    "edit=/x.yaml:a",
    "format=${oc.env:HOME}",
    "crf={a:1}",
    "crf='1'",
]


@pytest.mark.parametrize("typed", OTHERS)
def test_settings_that_say_where_are_not_taken(typed: str) -> None:
    with pytest.raises(RefusedError, match="only options of pairs"):
        _settings(typed)
    assert _settings(" crf=22  labels=full ") == ["crf=22", "labels=full"]


def test_jobs_are_found_by_name_and_end_with_the_studio(tmp_path: Path) -> None:
    jobs = BatchJobs()
    jobs.start("a", ["sources=nowhere.parquet", "drivings=nowhere.parquet", f"output={tmp_path}"])
    with pytest.raises(RefusedError, match="a job of this name is running"):
        jobs.start("a", [])
    assert jobs.text("b") == ""
    jobs.close()
    assert "ended with exit code" in jobs.text("a")


@pytest.mark.parametrize(
    "handed", [{"templates": "/x"}, {"source": "/etc/passwd"}, {"edit": "/x.yaml:a"}, {"smile": "x"}]
)
def test_only_controls_are_handed_over(handed: dict[str, object]) -> None:
    assert _controls({"smile": 0.5}) == {"smile": 0.5} and _controls(None) == {} and _controls([1]) == {}
    with pytest.raises(RefusedError, match="edit on top"):
        _controls(handed)
