"""A job of several pairs, driver and stages in this process: what it counts, keeps, tells and leaves for the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.device import Device
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.options import PairOptions
from lp_ray.coordinator import job as jobs
from lp_ray.coordinator import pairs as pairs_module
from lp_ray.coordinator import templates as templates_module
from lp_ray.coordinator.job import Job
from lp_ray.coordinator.reporting import Progress, Summary
from lp_ray.engine.factory import EngineSpec
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import Frames, Span
from lp_ray.media.clip import open_footage
from lp_ray.media.encode import encode_segment
from lp_ray.output import results
from lp_ray.output.occupy import occupy
from lp_ray.output.results import ResultRow
from lp_ray.plan.devices import NVENC, Part
from lp_ray.plan.pairing import Pairs
from lp_ray.plan.settings import Settings
from lp_ray.runtime.inline import InlineExecutor
from lp_ray.stages.contract import Bench
from lp_ray.storage import Policy
from tests.generated import FILM_FRAMES, FILM_SIZE, PORTRAIT_SIZE, Generated

SILENT_FRAMES, CLIP_FRAMES = 5, 7
"""Of 0.2 s at 25 frames a second, and of 0.21 s at 30: frames 0 to 6 begin before."""
IN_FILM = 6
"""Of 0.21 s driven by `clip` in a film of 25 frames a second: 7 / 30 s are 5.8 frames."""
PLAIN = PairOptions(paste_back=False, preset="ultrafast", crf=40)
MISTAKEN = replace(PLAIN, driving_multiplier=0.5)
"""Options that `Slipping` makes a mistake with, in its second chunk."""


class Slipping(PreviewEngine):
    """The preview engine with a mistake in it, for one multiplier."""

    def direct(self, motion: Any, options: PairOptions) -> Any:
        return super().direct(motion, options), options.driving_multiplier

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        inner, multiplier = direction
        for n_made, frames in enumerate(super().animate(source, inner, span)):
            if n_made and multiplier == MISTAKEN.driving_multiplier:
                raise TypeError("a mistake in the engine")
            yield frames


@dataclass
class Told:
    """A reporter that writes down what it is told."""

    shown: list[Progress] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: list[ResultRow] = field(default_factory=list)

    def update(self, progress: Progress) -> None:
        self.shown.append(replace(progress))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def settled(self, row: ResultRow) -> None:
        self.rows.append(row)

    def last(self, phase: str) -> Progress:
        return [progress for progress in self.shown if progress.phase == phase][-1]


@dataclass
class Bureau:
    """Runs jobs on one output: manifests in, a summary and a reporter's notes out."""

    root: str
    sources: list[dict[str, Any]]
    drivings: list[dict[str, Any]]

    def settings(self, **given: Any) -> Settings:
        store = storage.join(self.root, "templates")
        return Settings(self.root, store, EngineSpec("preview"), chunk_frames=3, span_chunks=2, run="r", **given)

    def job(self, pairs: Pairs, pair_table: pa.Table | None = None, **given: Any) -> Job:
        tables = (
            check_manifest(pa.Table.from_pylist(rows), kind, kind)  # type: ignore[arg-type]
            for kind, rows in (("source", self.sources), ("driving", self.drivings))
        )
        return jobs.prepare(self.settings(**given), *tables, pair_table, pairs, Policy())

    def run(self, pairs: Pairs, retry_failed: bool = False, **given: Any) -> tuple[Summary, Told]:
        job, told = self.job(pairs, **given), Told()
        executor = InlineExecutor(Bench(job.settings, job.engine, create=lambda spec: Slipping()))
        with occupy(job.settings.output_layout, meta=job.plan.meta_schema) as lease:
            jobs.leave_out_standing(job, retry_failed)
            return jobs.run(job, executor, told, lease), told

    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        table = results.read_results(self.root)
        return {(row["source_id"], row["driving_id"]): row for row in table.to_pylist()}


def pairs_of(*chosen: tuple[int, int, PairOptions]) -> Pairs:
    """Pairs of rows of the manifests, each with its options."""
    sets = tuple(dict.fromkeys(options for _, _, options in chosen))
    source, driving, option = zip(*((s, d, sets.index(options)) for s, d, options in chosen), strict=True)
    return Pairs(*(np.array(column, np.int64) for column in (source, driving, option)), sets)


CROSS = pairs_of(*((source, driving, PLAIN) for source in range(4) for driving in range(3)))
"""Every source with every driving of `bureau`."""
MADE = {("portrait", "silent"): SILENT_FRAMES, ("portrait", "clip"): CLIP_FRAMES} | {
    ("film", "silent"): SILENT_FRAMES,
    ("film", "clip"): IN_FILM,
}
"""The pairs of CROSS that can be made, and their frames."""


def bureau_in(folder: Path, generated: Generated) -> Bureau:
    """A film, a portrait, a text under a picture's name, a missing picture; two drivings and one without a face."""
    (folder / "text.jpg").write_text("no picture")
    encode_segment(folder / "wall.mp4", grey(4), Fraction(25), 30, "ultrafast")
    sources = [("film", generated.film), ("portrait", generated.portrait)]
    sources += [("text", folder / "text.jpg"), ("none", folder / "none.jpg")]
    drivings: list[dict[str, Any]] = [
        {"uri": str(generated.silent_clip), "driving_id": "silent", "end_s": 0.2},
        {"uri": str(generated.clip), "driving_id": "clip", "end_s": 0.21},
        {"uri": str(folder / "wall.mp4"), "driving_id": "wall", "end_s": None},
    ]
    root = storage.normalise(str(folder / "out"))
    return Bureau(root, [{"uri": str(path), "source_id": name} for name, path in sources], drivings)


@pytest.fixture
def bureau(tmp_path: Path, generated: Generated) -> Bureau:
    """Nothing has been made here yet."""
    return bureau_in(tmp_path, generated)


@dataclass(frozen=True)
class Done:
    """A finished job of all pairs."""

    bureau: Bureau
    summary: Summary
    told: Told


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, generated: Generated) -> Done:
    """The job of CROSS; nobody changes its output."""
    bureau = bureau_in(tmp_path_factory.mktemp("whole"), generated)
    return Done(bureau, *bureau.run(CROSS))


def grey(n: int) -> Iterator[NDArray[np.uint8]]:
    for _ in range(n):
        yield np.full((128, 128, 3), 128, np.uint8)


def test_every_pair_ends_with_a_row_and_the_summary_counts_them(whole: Done) -> None:
    """The good ones are made; a bad source, a bad driving and a missing file each fail their own pairs."""
    summary, told, rows = whole.summary, whole.told, whole.bureau.rows()
    assert {pair: row["n_frames"] for pair, row in rows.items() if row["status"] == "done"} == MADE
    failed = {pair: row["error_class"] for pair, row in rows.items() if row["status"] == "failed"}
    assert len(rows) == 12 and len(failed) == 8
    assert {failed["none", driving] for driving in ("silent", "clip", "wall")} == {"MissingInputError"}
    assert {failed["text", driving] for driving in ("silent", "clip")} == {"UnreadableMediaError"}
    assert {failed[source, "wall"] for source in ("portrait", "film", "text")} == {"NoFaceError"}
    assert summary.by_status == {"done": 4, "failed": 8, "filtered": 0}
    assert summary.before == {"done": 0, "failed": 0, "filtered": 0}
    assert list(summary.by_error.items())[-1] == ("UnreadableMediaError", 2), "the rarest last"
    assert summary.by_error == {"MissingInputError": 3, "NoFaceError": 3, "UnreadableMediaError": 2}
    assert (summary.templates_made, summary.templates_reused) == (3, 0), "two drivings and the film, each once"
    assert (summary.frames, summary.unexpected, summary.failed) == (sum(MADE.values()), 0, 8)
    assert summary.seconds > 0
    assert sorted((row["source_id"], row["driving_id"]) for row in told.rows) == sorted(rows)


def test_progress_knows_its_totals_and_never_runs_back(whole: Done) -> None:
    """Templates first, then pairs; the frames to come are those of the pairs whose templates are there."""
    told = whole.told
    phases = [progress.phase for progress in told.shown]
    assert phases == sorted(phases, reverse=True) and set(phases) == {"templates", "pairs"}
    templates, pairs = told.last("templates"), told.last("pairs")
    assert (templates.total, templates.done, templates.failed, templates.left) == (4, 3, 1, 0)
    of_text = SILENT_FRAMES + CLIP_FRAMES  # nobody has looked into this picture when frames are counted
    assert {progress.total_frames for progress in told.shown if progress.phase == "pairs"} == {
        sum(MADE.values()) + of_text
    }
    assert (pairs.total, pairs.done, pairs.failed, pairs.filtered, pairs.left) == (12, 4, 8, 0, 0)
    assert pairs.frames == sum(MADE.values())
    first = next(progress for progress in told.shown if progress.phase == "pairs")
    assert (first.settled, first.left, first.frames) == (0, 12, 0)
    for phase in ("templates", "pairs"):
        counts = [(p.settled, p.frames) for p in told.shown if p.phase == phase]
        assert counts == sorted(counts)
        frames = [n for _, n in counts]
        assert frames == sorted(frames)


def test_a_row_tells_what_its_pair_was_made_of(whole: Done) -> None:
    rows = whole.bureau.rows()
    picture, film = rows["portrait", "clip"], rows["film", "clip"]
    assert (picture["source_width"], picture["source_height"]) == PORTRAIT_SIZE
    assert (film["source_width"], film["source_height"]) == FILM_SIZE
    assert (picture["frames_without_face"], picture["source_frames_without_face"]) == (0, None)
    assert (film["frames_without_face"], film["source_frames_without_face"]) == (0, 0)
    assert picture["template_uri"] == film["template_uri"] != rows["portrait", "silent"]["template_uri"]
    assert storage.exists(picture["template_uri"])
    for row in (picture, film):
        assert row["attempts"] == 1 and row["error"] is None and row["stage"] is None
        assert all(row["seconds"][stage] > 0 for stage in ("template", "source", "animate", "write", "finalize"))
        assert row["started_at"] <= row["finished_at"]
    failed = rows["portrait", "wall"]
    assert (failed["stage"], failed["attempts"], failed["video_uri"]) == ("track", 1, None)


def test_what_failed_is_tried_again_when_that_is_asked_for_and_counted(bureau: Bureau) -> None:
    """Without it nothing is left to do; with it the templates that are there serve again."""
    chosen = pairs_of((1, 0, PLAIN), (2, 0, PLAIN), (3, 0, PLAIN))
    bureau.run(chosen)
    summary, told = bureau.run(chosen)
    assert summary.before == {"done": 1, "failed": 2, "filtered": 0} and summary.failed == 2
    assert summary.by_status == {"done": 0, "failed": 0, "filtered": 0} and not told.rows
    assert (summary.templates_made, summary.templates_reused, summary.frames) == (0, 0, 0)
    Path(bureau.sources[2]["uri"]).write_text("no picture either")
    summary, _ = bureau.run(chosen, retry_failed=True)
    assert summary.before == {"done": 1, "failed": 0, "filtered": 0}
    assert summary.by_status == {"done": 0, "failed": 2, "filtered": 0} and summary.failed == 2
    assert (summary.templates_made, summary.templates_reused) == (0, 1)
    rows = bureau.rows()
    assert (rows["none", "silent"]["attempts"], rows["text", "silent"]["attempts"]) == (2, 1), (
        "other bytes, another pair"
    )
    summary, _ = bureau.run(pairs_of((1, 0, replace(PLAIN, crf=41))))
    assert summary.by_status["done"] == 1 and summary.templates_reused == 1
    again = [row for row in results.read_results(bureau.root).to_pylist() if '"crf": 41' in row["options"]]
    assert [row["seconds"]["template"] for row in again] == [None], "it was there"


def test_a_clip_of_one_frame_is_a_picture_unless_it_is_stated_to_be_a_video(
    bureau: Bureau, tmp_path: Path, generated: Generated
) -> None:
    """A picture lasts as long as its driving, a video of one frame stays one; a driving picture lasts as its source."""
    first = next(iter(open_footage(generated.film, Limits()).frames()))
    encode_segment(tmp_path / "one.mp4", iter([first]), Fraction(25), 20, "ultrafast")
    bureau.sources = [
        {"uri": str(tmp_path / "one.mp4"), "source_id": "one", "media": None},
        {"uri": str(tmp_path / "one.mp4"), "source_id": "stated", "media": "video"},
        {"uri": str(generated.film), "source_id": "film", "media": None},
        {"uri": str(generated.portrait), "source_id": "portrait", "media": None},
    ]
    bureau.drivings = [bureau.drivings[0], {"uri": str(generated.still), "driving_id": "still", "end_s": None}]
    alone = replace(PLAIN, paste_back=True, audio="none")
    summary, _ = bureau.run(pairs_of((0, 0, alone), (1, 0, PLAIN), (2, 1, PLAIN), (3, 1, alone), (3, 0, alone)))
    rows = bureau.rows()
    assert summary.by_status["done"] == 5, [row["error"] for row in rows.values()]
    told = {pair: (row["kind"], row["n_frames"]) for pair, row in rows.items()}
    assert told == {
        ("one", "silent"): ("video", SILENT_FRAMES),
        ("stated", "silent"): ("video", 1),
        ("film", "still"): ("video", FILM_FRAMES),
        ("portrait", "still"): ("image", 1),
        ("portrait", "silent"): ("video", SILENT_FRAMES),
    }
    assert summary.frames == 2 * SILENT_FRAMES + 1 + FILM_FRAMES + 1
    silent, still = rows["portrait", "silent"], rows["portrait", "still"]
    assert silent["options_without_effect"] is None
    assert any(text.startswith("audio=none: ") for text in still["options_without_effect"])


def test_a_picture_all_of_whose_faces_move_is_made_in_shorter_chunks(bureau: Bureau) -> None:
    """At least a frame long, however short the others' are."""
    bureau.sources = [{**source, "face": "all"} for source in bureau.sources[1:2]]
    summary, told = bureau.run(pairs_of((0, 0, replace(PLAIN, paste_back=True))))
    assert summary.by_status["done"] == 1 and summary.frames == SILENT_FRAMES
    frames = [progress.frames for progress in told.shown if progress.phase == "pairs"]
    assert sorted(set(frames)) == list(range(SILENT_FRAMES + 1)), "frame after frame"


def test_parts_that_no_pair_needs_have_no_device(bureau: Bureau) -> None:
    """The encoder's is asked for where one pair wants it, whatever the others do."""
    plain = {Part.ENGINE: Device("cpu"), Part.DETECTOR: Device("cpu")}
    assert bureau.job(pairs_of((0, 0, PLAIN), (1, 0, PLAIN))).devices == plain
    wanted = bureau.job(pairs_of((0, 0, PLAIN), (1, 0, replace(PLAIN, encoder="nvenc"))))
    assert wanted.encoder == "nvenc" and wanted.devices == plain | {Part.ENCODER: NVENC}


def test_an_option_that_the_engine_lacks_is_refused_where_it_stands(bureau: Bureau) -> None:
    """The row of the pairs manifest that has it first; `options` where there is none."""
    lacking = replace(PLAIN, animation_region="lip")
    pairs = pairs_of((1, 0, PLAIN), (0, 0, lacking), (1, 1, lacking))
    with pytest.raises(RefusedError, match=r"^options: animation_region="):
        bureau.job(pairs)
    ids = {"source_id": ["portrait", "film", "portrait"], "driving_id": ["silent", "silent", "clip"]}
    with pytest.raises(RefusedError, match=r"^pairs manifest row 1: animation_region="):
        bureau.job(pairs, pair_table=pa.table(ids))


def test_a_damaged_template_is_made_again(bureau: Bureau) -> None:
    first, _ = bureau.run(pairs_of((0, 0, PLAIN), (1, 0, PLAIN)))
    assert first.templates_made == 2
    uri = bureau.rows()["portrait", "silent"]["template_uri"]
    storage.put_bytes(uri, b"no template")
    summary, told = bureau.run(pairs_of((0, 0, replace(PLAIN, crf=41)), (1, 0, replace(PLAIN, crf=41))))
    assert (summary.templates_made, summary.templates_reused) == (1, 1)
    assert summary.by_status["done"] == 2 and told.last("templates").total == 1


def test_clips_are_worked_off_in_batches(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and wherever a batch ends, each gets its template and each pair its row."""
    monkeypatch.setattr(templates_module, "CLIPS_AT_ONCE", 2)
    monkeypatch.setattr(pairs_module, "FLUSH_ROWS", 5)
    flush, flushed = results.flush, list[int]()
    monkeypatch.setattr(results, "flush", lambda *given: flushed.append(len(given[1])) or flush(*given))
    summary, _ = bureau.run(CROSS)
    assert flushed == [5, 5, 2], "rows are taken into the table so many at a time"
    assert summary.templates_made == 3 and summary.by_status == {"done": 4, "failed": 8, "filtered": 0}
    assert len(bureau.rows()) == 12


def test_a_mistake_of_ours_leaves_its_traceback_and_nothing_staged(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pairs meet it, in their second chunk: two rows, two files, one note, and what they had staged is gone."""
    monkeypatch.setattr(pairs_module, "FAILED_KEPT", 2)
    job = bureau.job(CROSS)
    chosen = pairs_of((1, 0, PLAIN), (1, 1, MISTAKEN), (1, 0, MISTAKEN))
    seen: list[int] = []
    delete_prefixes = storage.delete_prefixes
    monkeypatch.setattr(storage, "delete_prefixes", lambda *given: seen.append(1) or delete_prefixes(*given))
    summary, told = bureau.run(chosen)
    assert summary.unexpected == 2 and summary.by_status == {"done": 1, "failed": 2, "filtered": 0}
    assert len(told.notes) == 1 and "a mistake in the engine" in told.notes[0]
    failed = [row for row in told.rows if row["status"] == "failed"]
    for row in failed:
        assert (row["stage"], row["error_class"], row["score"]) == ("animate", "TypeError", None)
        with storage.open_read(row["traceback_uri"]) as file:
            assert b"a mistake in the engine" in file.read()
    assert len({row["traceback_uri"] for row in failed}) == 2
    assert seen and not list(storage.list_files(job.settings.output_layout.own_staging))
