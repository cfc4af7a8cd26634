"""A bad input fails only its own pairs, with its own reason; all other pairs are made."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from jobs.exit_codes import EXIT_DONE, EXIT_REFUSED, EXIT_SOME_FAILED
from lp_ray.acting.film import film_performance
from lp_ray.base.limits import Limits
from lp_ray.media.images import read_image
from lp_ray.output import results
from tests.generated import Generated
from tests.running import Performances, RunJob, write_manifest

GOOD_NAMES = ["照片 a.jpg", "a(1).jpg", "a=b.jpg", "{a,b}.jpg", "x.jpg?v=1"]


def huge_png(path: Path, side: int = 30_000) -> None:
    """A valid black PNG of side x side pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeezed = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    data = b"".join([*(squeezed.compress(row) for _ in range(side)), squeezed.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


@pytest.fixture(scope="module")
def rows(
    tmp_path_factory: pytest.TempPathFactory, generated: Generated, performances: Performances, run_job: RunJob
) -> dict[tuple[str, str], dict[str, Any]]:
    """Run one job over good inputs with awkward names and every kind of bad input."""
    folder = tmp_path_factory.mktemp("bad")
    portrait = generated.portrait.read_bytes()
    for name in GOOD_NAMES:
        (folder / name).write_bytes(portrait)
    (folder / "text.jpg").write_text("I am not a picture\n" * 50)
    (folder / "cut.jpg").write_bytes(portrait[: len(portrait) // 3])
    cv2.imwrite(str(folder / "faceless.png"), np.full((300, 300, 3), 90, np.uint8))
    huge_png(folder / "huge.png")
    sources = [{"uri": str(folder / name), "source_id": name} for name in GOOD_NAMES]
    sources += [
        {"uri": str(folder / name), "source_id": name}
        for name in ("text.jpg", "cut.jpg", "faceless.png", "huge.png", "missing.jpg")
    ]
    sources += [
        {"uri": "ftp://example.org/a.jpg", "source_id": "ftp"},
        {"uri": str(folder / GOOD_NAMES[0]), "source_id": "../../escape", "face": "left-right"},
        {"uri": str(folder / GOOD_NAMES[0]), "source_id": "seventh-face", "face": "6"},
    ]
    whole = performances.nod.read_bytes()
    (folder / "zero.mp4").write_bytes(b"")
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    write_faceless_clip(folder / "nobody.mp4")
    film_performance(
        folder / "one.mp4",
        "talk",
        read_image(generated.portrait, Limits()),
        performances.nod_curves.fps,
        1,
        sound=False,
    )
    drivings = [{"uri": str(folder / "one.mp4"), "driving_id": "one"}]
    drivings += [{"uri": str(folder / f"{n}.mp4"), "driving_id": n} for n in ("zero", "truncated", "nobody")]
    ended = run_job(
        "animate",
        f"sources={write_manifest(folder / 's=1.parquet', sources)}",
        f"drivings={write_manifest(folder / 'd(1).parquet', drivings)}",
        f"output={folder / '{out}'}",
    )
    assert ended.code == EXIT_SOME_FAILED, ended.output
    assert "Traceback" not in ended.output
    table = results.read_results(str(folder / "{out}")).to_pylist()
    assert len(table) == len(sources) * len(drivings)
    return {(r["source_id"], r["driving_id"]): r for r in table}


def write_faceless_clip(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 240))
    for _ in range(5):
        writer.write(np.full((240, 320, 3), 120, np.uint8))
    writer.release()


@pytest.mark.parametrize("source", [*GOOD_NAMES, "../../escape"])
def test_good_sources_with_awkward_names_are_done(rows: dict[tuple[str, str], Any], source: str) -> None:
    row = rows[source, "one"]
    assert (row["status"], row["n_frames"]) == ("done", 1), row["error"]
    assert ".." not in row["video_uri"]


@pytest.mark.parametrize(
    ("source", "stage", "error_class", "words"),
    [
        ("missing.jpg", "plan", "MissingInputError", "missing.jpg"),
        ("ftp", "plan", "SchemeNotAllowedError", "'ftp' is not allowed"),
        ("text.jpg", "source", "UnreadableMediaError", ""),
        ("cut.jpg", "source", "TruncatedMediaError", ""),
        ("faceless.png", "source", "NoFaceError", "no face"),
        ("huge.png", "source", "InputTooLargeError", "30000"),
        ("seventh-face", "source", "NoFaceError", "6"),
    ],
)
def test_a_bad_source_says_why(
    rows: dict[tuple[str, str], Any], source: str, stage: str, error_class: str, words: str
) -> None:
    row = rows[source, "one"]
    assert (row["status"], row["stage"], row["error_class"]) == ("failed", stage, error_class), row["error"]
    assert words in row["error"] and row["video_uri"] is None


@pytest.mark.parametrize(
    ("driving", "error_class", "words"),
    [
        ("zero", "UnreadableMediaError", "empty"),
        ("truncated", "TruncatedMediaError", ""),
        ("nobody", "NoFaceError", "no face in any of the clip's 5 frames"),
    ],
)
def test_a_bad_driving_says_why(rows: dict[tuple[str, str], Any], driving: str, error_class: str, words: str) -> None:
    row = rows[GOOD_NAMES[0], driving]
    assert (row["status"], row["stage"], row["error_class"]) == ("failed", "track", error_class), row["error"]
    assert words in row["error"]


@pytest.mark.parametrize(
    ("name", "manifest", "words"),
    [
        ("sources", [{"url": "a.jpg"}], "unknown column 'url' (did you mean 'uri'?)"),
        ("sources", [{"uri": "a", "source_id": "x"}, {"uri": "b", "source_id": "x"}], "rows 0 and 1: duplicate"),
        ("drivings", [{"uri": "a.mp4", "end_s": -1.0}], "row 0: end_s"),
    ],
)
def test_a_wrong_manifest_is_refused_before_any_work(
    tmp_path: Path, call_job: RunJob, name: str, manifest: list[dict[str, Any]], words: str
) -> None:
    manifests = {
        "sources": write_manifest(tmp_path / "s.parquet", [{"uri": "a.jpg"}]),
        "drivings": write_manifest(tmp_path / "d.parquet", [{"uri": "a.mp4"}]),
    }
    manifests[name] = write_manifest(tmp_path / "wrong.parquet", manifest)
    ended = call_job("animate", *(f"{key}={path}" for key, path in manifests.items()), f"output={tmp_path / 'out'}")
    assert ended.code == EXIT_REFUSED and words in ended.output, ended.output
    assert not (tmp_path / "out").exists()


def test_a_failed_pair_stays_until_it_is_asked_for_again(tmp_path: Path, call_job: RunJob) -> None:
    """All pairs fail at the plan, so no Ray is needed to see how failed rows are treated."""
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": str(tmp_path / "a.jpg"), "source_id": "a"}])
    drivings = write_manifest(tmp_path / "d.parquet", [{"uri": "ftp://example.org/a.mp4", "driving_id": "d"}])
    command = (f"sources={sources}", f"drivings={drivings}", f"output={tmp_path / 'out'}")
    attempts = []
    for extra, code in (((), 3), ((), 3), (("retry=failed",), 3), (("dry_run=true", "retry=failed"), EXIT_DONE)):
        ended = call_job("animate", *command, *extra)
        assert ended.code == code, ended.output
        table = results.read_results(str(tmp_path / "out")).to_pylist()
        assert [row["status"] for row in table] == ["failed"]
        attempts.append(table[0]["attempts"])
    assert attempts == [1, 1, 2, 2]
