"""jobs.manifest lists the files that a person sees in a folder, and reports what it leaves out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.exit_codes import EXIT_DONE, EXIT_REFUSED
from lp_ray import storage
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.media_kinds import MEDIA_SUFFIXES, NOT_READ
from tests.jobs.conftest import Call

PHOTOS = (
    "a.jpg",
    "windows.jfif",
    "phone.HEIC",
    "sub/b.jpg",
    "._a.jpg",
    ".thumbs/a.jpg",
    "notes.txt",
    "more.txt",
    "raw",
)
CHOSEN = ["a.jpg", "link/c.jpg", "sub/b.jpg", "windows.jfif"]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`photos` in the working folder, as phones, Windows and macOS leave it, with a link to another folder."""
    monkeypatch.chdir(tmp_path)
    for name in (*(f"photos/{name}" for name in PHOTOS), "elsewhere/c.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"picture")
    Path("photos/link").symlink_to("../elsewhere")
    Path("photos/loop").symlink_to(".")
    return tmp_path / "photos"


def ids(manifest: str, kind: str = "source") -> list[str]:
    names = read_manifest(manifest, kind)[f"{kind}_id"].to_pylist()  # type: ignore[arg-type] # one of the kinds
    return [str(name) for name in names]


@pytest.mark.parametrize("pattern", ["photos", "photos/", "photos/**", "photos/**/*", "{}/photos", "file://{}/photos"])
def test_a_folder_and_a_glob_list_what_a_person_sees(photos: Path, call: Call, pattern: str) -> None:
    ended = call(f"manifest input={pattern.replace('{}', str(photos.parent))} kind=source output=s.parquet")
    assert ended.code == EXIT_DONE
    assert ids("s.parquet") == CHOSEN
    assert "4 sources in s.parquet" in ended.output
    assert "left out: 2 .txt, 1 .heic (not read: convert to JPEG), 1 without an ending" in ended.output


def test_the_photos_that_were_got_wrong(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    """The case of a user's folder, with a symbolic link to another one beside it."""
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "elsewhere"):
        shutil.copytree(media.parent / "cases" / folder, folder)
    Path("photos/link").symlink_to("../elsewhere")
    for pattern in ("photos", "photos/**"):
        ended = call(f"manifest input={pattern} kind=source output=s.csv")
        assert ended.code == EXIT_DONE
        assert ids("s.csv") == CHOSEN
        assert "left out: 1 .heic (not read: convert to JPEG)" in ended.output


def test_what_is_not_read_is_no_medium() -> None:
    assert not MEDIA_SUFFIXES & NOT_READ.keys()


def test_a_file_that_is_named_is_taken_whatever_it_is(photos: Path, call: Call) -> None:
    for name in ("raw", "._a.jpg"):
        assert call(f"manifest input=photos/{name} kind=source output=s.csv").code == EXIT_DONE
        assert ids("s.csv") == [name]


def test_the_manifest_in_its_own_folder_is_not_left_out_but_known(photos: Path, call: Call) -> None:
    for _ in range(2):
        ended = call("manifest input=photos kind=source output=photos/s.csv")
    assert ".csv," not in ended.output and ids("photos/s.csv") == CHOSEN


def output_in(folder: str) -> None:
    """What a job leaves in its output, with names like those of media."""
    key = "0123456789abcdef" * 2
    names = [f"videos/{key}.mp4", f"comparisons/{key}.mp4", f"templates/{key}.npz", "sheets/sheet-000.png"]
    names += [".lp_ray/lease/000000001.json", f".lp_ray/staging/run/{key}/0000000.mp4", "results/part.parquet"]
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"ours")


@pytest.mark.parametrize("kind", ["source", "driving"])
@pytest.mark.parametrize("place", ["photos/out", "photos", "elsewhere/out"])
@pytest.mark.parametrize("pattern", ["photos", "photos/**"])
def test_what_jobs_have_made_never_becomes_an_input(
    photos: Path, call: Call, kind: str, place: str, pattern: str
) -> None:
    """Wherever the output lies: in the folder, behind a link in it, or the folder itself; new files are still found."""
    command = f"manifest input={pattern} kind={kind} output=m.parquet update=true"
    assert call(command).code == EXIT_DONE
    output_in(place)
    ended = call(command)
    assert ended.code == EXIT_DONE and ", 0 of them new" in ended.output
    assert ids("m.parquet", kind) == CHOSEN
    assert f"the output of a job in {photos.parent / place.replace('elsewhere', 'photos/link')}" in ended.output
    (photos / "new.jpg").write_bytes(b"picture")
    assert ", 1 of them new" in call(command).output
    assert ids("m.parquet", kind) == [*CHOSEN, "new.jpg"]


def test_results_become_inputs_where_they_are_named(photos: Path, call: Call) -> None:
    output_in("photos/out")
    for pattern in ("photos/out/videos", "photos/out/videos/*.mp4"):
        assert call(f"manifest input={pattern} kind=source output=s.csv").code == EXIT_DONE
        assert ids("s.csv") == ["0123456789abcdef" * 2 + ".mp4"]


def test_a_template_store_becomes_drivings_only_where_it_is_named(photos: Path, call: Call) -> None:
    """In a folder of clips, templates with names given by a user are listed, templates named by a key are not."""
    key = "0123456789abcdef" * 2
    for name in (f"store/{key}.npz", "store/faces/0.json", "nod.npz", "smile.pkl", "talk.mp4"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(b"template")
    ended = call("manifest input=photos kind=driving output=d.csv")
    assert ids("d.csv", "driving") == sorted([*CHOSEN, "nod.npz", "smile.pkl", "talk.mp4"])
    assert "1 .npz" in ended.output and "1 .json" in ended.output
    assert call("manifest input='photos/store/*.npz' kind=driving output=d.csv").code == EXIT_DONE
    assert ids("d.csv", "driving") == [f"{key}.npz"]
    assert call("manifest input=photos kind=source output=s.csv").code == EXIT_DONE
    assert ids("s.csv") == sorted([*CHOSEN, "talk.mp4"])


def test_the_same_holds_on_a_store(s3_bucket: str, call: Call) -> None:
    root = f"s3://{s3_bucket}/in"
    names = [*PHOTOS, "out/.lp_ray/lease/1.json", "out/videos/v.mp4", "@eaDir/a.jpg"]
    for name in names:
        storage.put_bytes(f"{root}/{name}", b"1")
    for pattern in (root, f"{root}/", f"{root}/**", f"{root}/**/*"):
        ended = call(f"manifest input={pattern} kind=source output=s3://{s3_bucket}/s.csv")
        assert ended.code == EXIT_DONE
        assert ids(f"s3://{s3_bucket}/s.csv") == ["a.jpg", "sub/b.jpg", "windows.jfif"]
        assert f"the output of a job in {root}/out" in ended.output


@pytest.mark.parametrize("output", ["m.parquet", "m.csv", "m.jsonl", "m.ndjson", "m.csv.gz"])
def test_a_manifest_is_written_in_the_format_of_its_name_and_grows(photos: Path, call: Call, output: str) -> None:
    command = f"manifest input=photos kind=source output={output} update=true versions=true"
    assert call(command).code == EXIT_DONE
    first = Path(output).read_bytes()
    assert first.startswith(
        {"m.parquet": b"PAR1", "m.csv": b"uri,source_id,version\n", "m.csv.gz": b"\x1f\x8b"}.get(output, b"{")
    )
    assert ", 0 of them new" in call(command).output
    assert Path(output).read_bytes() == first
    (photos / "0 new,.jpg").write_bytes(b"picture")
    assert ", 1 of them new" in call(command).output
    assert ids(output) == [*CHOSEN, "0 new,.jpg"]
    assert read_manifest(output, "source")["version"].null_count == 0


def test_any_name_comes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    """From the folder to the manifest, and from its row to the file."""
    monkeypatch.chdir(tmp_path)
    names = [b"a%20b.jpg", b"100%.jpg", b"caf\xe9.jpg", b"line\nbreak.jpg", b" a.jpg", b'"q".jpg', b"a,b.jpg"]
    Path("in").mkdir()
    for name in names:
        Path("in", os.fsdecode(name)).write_bytes(name)
    for output in ("s.parquet", "s.csv", "s.jsonl"):
        assert call(f"manifest input=in kind=source output={output}").code == EXIT_DONE
        uris = read_manifest(output, "source")["uri"].to_pylist()
        assert sorted(storage.read_bytes(storage.normalise(uri)) for uri in uris) == sorted(names)
    shown = ["a%20b.jpg", "100%.jpg", "caf%E9.jpg", "line\nbreak.jpg", " a.jpg", '"q".jpg', "a,b.jpg"]
    assert sorted(ids("s.csv")) == sorted(shown)


def test_a_manifest_of_before_keeps_its_rows(photos: Path, call: Call) -> None:
    """One that names files by paths knows them, and is not given them again under their URIs."""
    pq.write_table(pa.table({"uri": ["photos/a.jpg", str(photos / "sub/b.jpg")], "source_id": ["A", "B"]}), "m.parquet")
    ended = call("manifest input=photos kind=source output=m.parquet update=true versions=true")
    assert ", 2 of them new" in ended.output
    assert ids("m.parquet")[:2] == ["A", "B"]
    assert read_manifest("m.parquet", "source")["version"].null_count == 0


def test_nothing_is_written_where_nothing_is_found(photos: Path, call: Call) -> None:
    ended = call("manifest input='photos/*.HEIC' kind=source output=s.csv")
    assert ended.code == EXIT_REFUSED and "left out: 1 .heic (not read: convert to JPEG)" in ended.output
    assert not Path("s.csv").exists()
