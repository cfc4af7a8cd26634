"""The page's files: what is made, what a second run makes again, and that nothing of the rows becomes markup."""

from __future__ import annotations

import base64
import json
import os
import re
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from lp_ray import storage
from lp_ray.base.errors import BucketMissingError, RefusedError, StorageError, StorageUnreachableError
from lp_ray.base.limits import Limits
from lp_ray.contract.options import DEFAULTS
from lp_ray.gallery.build import PAGE_ROWS, build
from lp_ray.gallery.columns import MOST_WORDS, Columns, script
from lp_ray.gallery.making import AT_ONCE, TOLD
from lp_ray.gallery.names import Names
from lp_ray.gallery.originals import beside
from lp_ray.gallery.page import html
from lp_ray.gallery.runs import SHOWN, read_runs
from lp_ray.gallery.strips import FRAMES, HEIGHT, MOVING, Told, Wanted, make_strips, strip
from lp_ray.labels.file import Labels, write_labels
from lp_ray.media.encode import encode_segment
from lp_ray.media.frames_zip import write_frames
from lp_ray.output.results import flush
from tests.dataset.made import layout_of, many, measured, row, write
from tests.generated import Generated


def handed(path: Path) -> tuple[str, list[Any]]:
    """Return the call of a data file, and its arguments."""
    match = re.fullmatch(r"lpGallery\.(\w+)\((.*)\);\n", path.read_text())
    assert match is not None
    return match[1], json.loads(f"[{match[2]}]")


def column(gallery: Path, name: str) -> np.ndarray:
    _, (meta,) = handed(gallery / "data" / "meta.js")
    number = next(i for i, each in enumerate(meta["columns"]) if each["name"] == name)
    _, (_, text) = handed(gallery / "data" / f"column-{number}.js")
    about = meta["columns"][number]
    values = np.frombuffer(base64.b64decode(text), "<u4" if about["kind"] == "word" else "<f4")
    return np.array(about["words"], object)[values] if about["kind"] == "word" else values


HOSTILE = "</script><img src=x onerror=alert(1)>\u2028`${1}`"


def test_columns_and_pages_hold_what_the_rows_hold(tmp_path: Path) -> None:
    layout = layout_of(tmp_path)
    rows = [row(layout, f"s{i % 7}", f"d{i}", meta_take=i, meta_of=f"x{i % 3}") for i in range(PAGE_ROWS + 5)]
    rows[3] |= {"status": "failed", "error": HOSTILE, "source_id": HOSTILE, "video_uri": None}
    rows[4] |= {"options": '{"paste_back": true, "smile": 0.5}'}
    rows[5] |= {"video_uri": "file:///elsewhere/x.mp4"}
    write(layout, rows, {"identity_mean": [None if i == 2 else i / 10 for i in range(len(rows))]})
    made = build(str(tmp_path), pictures=False)
    gallery = tmp_path / "gallery"
    assert made.rows == len(rows) and made.page.endswith("/gallery/index.html")
    _, (meta,) = handed(gallery / "data" / "meta.js")
    assert (meta["rows"], meta["page"]) == (len(rows), PAGE_ROWS)
    first, second = (handed(gallery / "data" / f"rows-{n}.js")[1][1] for n in (0, 1))
    assert (len(first), len(second)) == (PAGE_ROWS, 5)
    order = [each["driving_id"] for each in [*first, *second]]
    assert column(gallery, "driving_id").tolist() == order
    by_driving = {each["driving_id"]: each for each in [*first, *second]}
    assert by_driving["d3"]["error"] == HOSTILE and "video_uri" not in by_driving["d5"]
    assert by_driving["d0"]["video_uri"].startswith("../videos/")
    at = {name: place for place, name in enumerate(order)}
    assert np.isnan(column(gallery, "identity_mean")[at["d2"]])
    assert column(gallery, "identity_mean")[at["d7"]] == pytest.approx(0.7)
    assert column(gallery, "meta_take")[at["d9"]] == 9 and column(gallery, "meta_of")[at["d9"]] == "x0"
    smiles = column(gallery, "option smile")
    assert smiles[at["d4"]] == "0.5" and set(smiles.tolist()) == {"0.0", "0.5"}


def test_options_stand_in_their_own_rows_over_several_parts(tmp_path: Path) -> None:
    """Wherever the default comes: parts before and after those that differ, and parts of which no row does."""
    layout = layout_of(tmp_path)
    parts: list[list[dict[str, float]]] = [[{"crf": 22}] * 2, [{}] * 3, [{"crf": 24}], [{"smile": 0.5}] * 2, [{}]]
    asked: dict[str, dict[str, float]] = {}
    for part in parts:
        for options in part:
            asked[f"d{len(asked)}"] = options
        names = list(asked)[-len(part) :]
        flush(layout, [row(layout, "s", name, options=json.dumps(asked[name])) for name in names])
    build(str(tmp_path), pictures=False)
    drivings = column(tmp_path / "gallery", "driving_id").tolist()
    assert sorted(drivings) == sorted(asked)
    for option in ("crf", "smile"):
        wanted = [json.dumps(asked[name].get(option, DEFAULTS[option])) for name in drivings]
        assert column(tmp_path / "gallery", f"option {option}").tolist() == wanted


def test_a_column_of_too_many_words_is_left_out() -> None:
    """Also that of an option; a word that no row has is none."""
    columns = Columns(pa.schema([("options", pa.string()), ("source_id", pa.string())]))
    columns.add(pa.table({"options": ['{"crf": 22}'] * 2, "source_id": ["a", "b"]}))
    assert {each.name: list(each.words) for each in columns.finished()} == {
        "source_id": ["a", "b"],
        "option crf": ["22"],
    }
    ids = [str(i) for i in range(MOST_WORDS + 1)]
    options = [f'{{"crf": {i}, "smile": 0.5}}' for i in range(MOST_WORDS + 1)]
    columns.add(pa.table({"options": options, "source_id": ids}))
    assert [each.name for each in columns.finished()] == ["option smile"]


def test_nothing_of_the_rows_can_end_a_script(tmp_path: Path) -> None:
    write(layout_of(tmp_path), [row(layout_of(tmp_path), HOSTILE, "d", meta_of=HOSTILE)])
    build(str(tmp_path), pictures=False)
    for path in (tmp_path / "gallery").rglob("*.js"):
        text = path.read_text()
        assert "<" not in text and ">" not in text and text.isascii(), path
    assert script("x", {"a": "</script>"}).count(b"<") == 0
    assert all(re.fullmatch(r"[a-z0-9.-]+", path.name) for path in (tmp_path / "gallery").rglob("*") if path.is_file())


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = html().decode()
    assert "%" not in re.findall(r"<meta http-equiv[^>]*>", text)[0] and "default-src 'none'" in text
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", text) and "http://" not in text
    assert "innerHTML" not in text and "eval(" not in text and "document.write" not in text


def test_an_output_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="has no results: animate something first"):
        build(str(tmp_path))


def test_many_rows_are_made_in_bounded_memory(tmp_path: Path) -> None:
    """`python -m benchmarks.gallery` measures more of them."""
    many(layout_of(tmp_path), 20_000, 200, 100)
    with measured() as spent:
        assert build(str(tmp_path), pictures=False).rows == 20_000
    assert spent.python < 80e6 and spent.arrow < 80e6
    assert len(list((tmp_path / "gallery" / "data").glob("rows-*.js"))) == 20
    assert len(np.unique(column(tmp_path / "gallery", "source_id"))) == 200


def test_names_are_told_apart_in_little_memory() -> None:
    """Also beyond those that are held one by one."""
    names = Names(f"a{i}" for i in range(120_000))
    names.add("b")
    assert names and not Names()
    assert all(f"a{i}" in names for i in range(0, 120_000, 997)) and "b" in names
    assert not any(f"c{i}" in names for i in range(2000)) and None not in names


def test_what_cannot_be_shown_is_counted_and_the_first_are_named(tmp_path: Path) -> None:
    layout = layout_of(tmp_path)
    write(layout, [row(layout, f"s{i}", "d") for i in range(TOLD)])
    made = build(str(tmp_path))
    assert (made.strips, made.n_lacking, len(made.lacking)) == (0, 2 * TOLD + 1, TOLD), "sources, results, one driving"
    assert all("/in/" in line or "/videos/" in line for line in made.lacking)


def test_a_place_that_cannot_be_read_leaves_out_its_pictures(
    tmp_path: Path, generated: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a client, rights or bucket, and where a store does not answer, which is asked once, not for each file."""
    asked: list[str] = []
    real = storage.local_copy

    def local_copy(uri: str, limits: Limits) -> AbstractContextManager[Path]:
        asked.append(uri)
        for start, error in refused.items():
            if uri.startswith(start):
                raise error
        return real(uri, limits)

    refused = {
        "gs://": RefusedError("gs://b/s0.jpg: no file system for this URI is installed"),
        "s3://none": BucketMissingError("s3://none: storage has no such bucket"),
        "s3://away": StorageUnreachableError("s3://away: storage does not answer"),
    }
    monkeypatch.setattr("lp_ray.gallery.strips.storage.local_copy", local_copy)
    layout, portrait = layout_of(tmp_path), storage.normalise(str(generated.portrait))
    here = {"source_uri": portrait, "status": "failed", "video_uri": None}
    away = [row(layout, "s", f"d{i}", **here, driving_uri=f"s3://away/d{i}.mp4") for i in range(AT_ONCE + 5)]
    rows = [
        row(layout, "s", "g", **here, driving_uri="gs://b/s0.jpg"),
        row(layout, "s", "n", **here, driving_uri="s3://none/s0.jpg"),
    ]
    write(layout, [*away, *rows])
    made = build(str(tmp_path))
    assert (made.rows, made.strips, made.n_lacking) == (AT_ONCE + 7, 1, AT_ONCE + 7)
    assert sum(uri.startswith("s3://away") for uri in asked) == 1, "the others would take minutes each"
    assert sum("away did not answer before" in line for line in made.lacking) == AT_ONCE + 4
    assert sum("no file system" in line or "no such bucket" in line for line in made.lacking) == 2
    assert "gs://b/s0.jpg: no file system for this URI is installed" in made.lacking, "the place is said once"


def test_a_place_that_takes_no_strip_is_told(tmp_path: Path, generated: Generated) -> None:
    (tmp_path / "file").write_bytes(b"")
    to = storage.normalise(f"{tmp_path}/file/x.jpg")
    with pytest.raises(StorageError, match="a part of its path is a file"):
        make_strips([Wanted(storage.normalise(str(generated.portrait)), "", to)])


def test_damaged_labels_leave_out_their_curves(tmp_path: Path) -> None:
    """Cut short, and with a page that cannot be unpacked."""
    layout = layout_of(tmp_path)
    rows = [row(layout, "s", f"d{i}", source_uri=None, driving_uri=None, kind="") for i in range(3)]
    (tmp_path / "labels").mkdir()
    for n, made_row in enumerate(rows):
        path = tmp_path / "labels" / f"{made_row['pair_id']}.parquet"
        turned = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
        write_labels(path, Labels(made_row["pair_id"], 50, None, 64, 48, 0, 1, {}, {"head_pose": turned}))
        whole = path.read_bytes()
        path.write_bytes([whole, whole[: len(whole) // 2], whole[:8] + bytes(400) + whole[408:]][n])
    write(layout, rows)
    made = build(str(tmp_path))
    told = [line for line in made.lacking if "/labels/" in line]
    assert made.curves == 1 and made.n_lacking == len(rows) + 2, "no videos lie there, either"
    assert len(told) == 2 and all("delete it and run the job again" in line for line in told)
    assert all(rows[n]["pair_id"] in "".join(told) for n in (1, 2))


def test_strips_are_frames_beside_each_other() -> None:
    frames = [np.full((288, 576, 3), 30 * i, np.uint8) for i in range(8)]
    made = strip(frames)
    assert made.shape == (144, 8 * 256, 3) and made[0, ::256, 0].tolist() == [30 * i for i in range(8)]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 30])
@pytest.mark.parametrize("kind", ["frames", ""])
def test_a_strip_of_any_length_is_cut_where_the_page_cuts_it(tmp_path: Path, n: int, kind: str) -> None:
    """One frame, or FRAMES of them in order, some twice; the shape tells which, also of clips as narrow as a stick."""
    for width, height in ((96, 54), (20, 160), (400, 40)):
        frames = [np.full((height, width, 3), 20 + 8 * i, np.uint8) for i in range(n)]
        path = tmp_path / ("a.zip" if kind else "a.mp4" if n > 1 else "a.png")
        if kind:
            write_frames(path, iter(frames))
        elif n > 1:
            encode_segment(path, iter(frames), Fraction(25), 0, "ultrafast")
        else:
            path.write_bytes(cv2.imencode(".png", frames[0])[1].tobytes())
        to = storage.normalise(f"{tmp_path}/strip.jpg")
        assert make_strips([Wanted(storage.normalise(str(path)), kind, to)]) == [Told(to)]
        made = cv2.imread(f"{tmp_path}/strip.jpg")
        assert made is not None
        cut = FRAMES if made.shape[1] / made.shape[0] > MOVING else 1
        assert cut == (FRAMES if n > 1 else 1) and made.shape[1] % cut == 0
        shown = made[HEIGHT // 2, made.shape[1] // cut // 2 :: made.shape[1] // cut, 1].astype(float)
        wanted = 20 + 8 * np.linspace(0, n - 1, cut).round()
        assert np.abs(shown - wanted).max() < 6, "colours of a coded clip are near"


def test_short_strips_of_before_are_made_again_and_long_ones_stay(tmp_path: Path, generated: Generated) -> None:
    """Their names tell: those of three frames were three frames wide."""
    layout = layout_of(tmp_path)
    for folder in ("videos", "gallery/strips"):
        (tmp_path / folder).mkdir(parents=True)
    rows = [row(layout, "s", f"d{n}", n_frames=n, source_uri=None, driving_uri=None) for n in (3, 50)]
    for each in rows:
        (tmp_path / "videos" / f"{each['pair_id']}.mp4").write_bytes(generated.silent_clip.read_bytes())
        (tmp_path / "gallery" / "strips" / f"{each['pair_id']}-none.jpg").write_bytes(b"made before")
    write(layout, rows)
    assert build(str(tmp_path)).strips == 1 and build(str(tmp_path)).strips == 0
    _, (_, shown) = handed(tmp_path / "gallery" / "data" / "rows-0.js")
    strips = {each["n_frames"]: tmp_path / "gallery" / "strips" / each["strip"] for each in shown}
    assert strips[50].read_bytes() == b"made before" and strips[3].read_bytes()[:2] == b"\xff\xd8"


def test_odd_values_of_manifests_stop_nothing(tmp_path: Path) -> None:
    """Numbers that JSON has not, whole numbers beyond 2^53, bytes, lists; and a page that shrinks leaves nothing."""
    layout = layout_of(tmp_path)
    odd = {"meta_n": float("nan"), "meta_i": 2**60 + 1, "meta_b": b"\xff\x00", "meta_l": [1.0, float("inf")]}
    write(layout, [row(layout, f"s{i}", "d", **odd) for i in range(PAGE_ROWS + 1)])
    build(str(tmp_path), pictures=False)
    gallery = tmp_path / "gallery"
    _, (_, rows) = handed(gallery / "data" / "rows-0.js")
    assert (rows[0]["meta_l"], rows[0]["meta_b"]) == ([1.0, None], "ff00") and rows[0].get("meta_n") is None
    assert column(gallery, "meta_i")[0] == pytest.approx(2.0**60) and column(gallery, "meta_b")[0] == "ff00"
    for part in (tmp_path / "results").iterdir():
        part.unlink()
    write(layout, [row(layout, "s", "d")])
    build(str(tmp_path), pictures=False)
    assert [path.name for path in sorted((gallery / "data").glob("rows-*"))] == ["rows-0.js"]


def test_summaries_are_shown_latest_first_and_bad_ones_are_told(tmp_path: Path) -> None:
    layout = layout_of(tmp_path)
    write(layout, [row(layout, "s", "d")])
    folder = tmp_path / "summaries"
    folder.mkdir()
    for i in range(SHOWN + 3):
        said = {"outcome": "some_failed", "finished_at": f"2026-11-{i + 1:02d}T00:00:00+00:00", "seconds": 1.5}
        said |= {"pairs": {"done": i, "failed": 1}, "errors": {HOSTILE: 1}, "of a later version": 1}
        path = folder / f"{i}.json"
        path.write_text(json.dumps(said))
        os.utime(path, (i + 1, i + 1))
    (folder / "bad.json").write_text('{"outcome": 3}')
    (folder / "large.json").write_bytes(b" " * 1_000_001)
    made = build(str(tmp_path), pictures=False)
    _, (meta,) = handed(tmp_path / "gallery" / "data" / "meta.js")
    latest = meta["runs"]["latest"]
    assert meta["runs"]["count"] == SHOWN + 5 and len(latest) == SHOWN - 2, "bad ones are among the latest"
    assert latest[0]["pairs"] == {"done": SHOWN + 2, "failed": 1} and latest[0]["errors"] == {HOSTILE: 1}
    assert [run["finished_at"] for run in latest] == sorted((run["finished_at"] for run in latest), reverse=True)
    assert any("bad.json" in line and "outcome" in line for line in made.lacking)
    assert any("large.json: larger than a summary" in line for line in made.lacking)
    assert read_runs(layout_of(tmp_path / "none")).described() == {"count": 0, "latest": []}


@pytest.mark.parametrize(
    ("page", "uri", "found"),
    [
        ("file:///out/gallery", "file:///in/a b%2541.mp4", "../../in/a b%41.mp4"),
        ("file:///out/gallery", "file:///out/arrays/a.mov", "../arrays/a.mov"),
        ("file:///out/gallery", "s3://b/a.mp4", None),
        ("s3://b/out/gallery", "s3://b/in/a.mp4", "../../in/a.mp4"),
        ("s3://b/out/gallery", "s3://c/in/a.mp4", None),
        ("s3://b/out/gallery", "file:///in/a.mp4", None),
        ("file:///out/gallery", "https://host/a.mp4", None),
        ("file:///out/gallery", "file:///in/a.avi", None),
        ("file:///out/gallery", "file:///in/a.npz", None),
        ("file:///out/gallery", "file:///in/%FF.mp4", None),
        ("file:///out/gallery", None, None),
    ],
)
def test_clips_are_linked_where_a_browser_reaches_them(page: str, uri: str | None, found: str | None) -> None:
    assert beside(page, uri) == found


def test_a_driving_that_cannot_be_read_is_not_linked(tmp_path: Path, generated: Generated) -> None:
    """Neither one that the policy forbids, nor one that is not there."""
    layout = layout_of(tmp_path)
    clip = storage.normalise(str(generated.silent_clip))
    write(layout, [row(layout, "s", "d", driving_uri=clip), row(layout, "s", "e")])
    for policy, linked in ((storage.Policy(prefixes=("file:///elsewhere/",)), 0), (storage.Policy(), 1)):
        build(str(tmp_path), policy=policy)
        _, (_, rows) = handed(tmp_path / "gallery" / "data" / "rows-0.js")
        found = [each["driving_file"] for each in rows if "driving_file" in each]
        assert len(found) == linked and all(path.endswith(generated.silent_clip.name) for path in found)
