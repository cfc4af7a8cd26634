"""Template files: written in pieces, read in ranges, refused when they are not what they say."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lp_ray.base.errors import TemplateError
from lp_ray.motion.template import TemplateHeader, TemplateReader, pack_part, read_header, unpack_part, write_template

HEADER = TemplateHeader("preview", "e", "l", 30000, 1001, 7, (2, 3))
MOTION = {
    "R": np.arange(7 * 9, dtype=np.float32).reshape(7, 3, 3),
    "eye_ratio": np.linspace(0, 1, 14, dtype=np.float32).reshape(7, 2),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A template of 7 frames, written in pieces of 3, 3 and 1."""
    file = tmp_path / "template.npz"
    write_template(file, HEADER, ({k: v[i : i + 3] for k, v in MOTION.items()} for i in range(0, 7, 3)))
    return file


def test_pieces_come_back_whole_and_in_ranges(path: Path) -> None:
    reader = TemplateReader(path)
    assert reader.header == HEADER and reader.header.fps == Fraction(30000, 1001)
    assert len(reader) == 7 and reader.names == set(MOTION)
    for start, stop in ((0, None), (2, 5), (-3, 2), (5, 99), (7, 9)):
        part = reader.read(start, stop)
        for name, array in MOTION.items():
            np.testing.assert_array_equal(part[name], array[max(start, 0) : stop])
    assert set(reader.read(names=["R"])) == {"R"}
    with pytest.raises(TemplateError, match="has no exp"):
        reader.read(names=["exp"])


def test_a_part_of_a_template_is_read_as_if_it_were_the_whole(path: Path) -> None:
    reader = TemplateReader(path)
    part = reader.part(range(2, 6))
    assert len(part) == 4 and part.header == replace(HEADER, n_frames=4) and part.names == reader.names
    for start, stop in ((0, None), (1, 3), (-3, 2), (2, 99), (4, 9)):
        again = {name: rows[2:6][max(start, 0) : stop] for name, rows in MOTION.items()}
        for name, rows in part.read(start, stop).items():
            np.testing.assert_array_equal(rows, again[name])
    assert len(reader) == 7 and len(reader.read()["R"]) == 7, "the whole is as it was"


def test_numpy_reads_the_file_too(path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["R"], MOTION["R"])
        assert json.loads(arrays["header"].tobytes())["n_frames"] == 7


def test_the_header_is_read_alone(path: Path) -> None:
    with path.open("rb") as file:
        assert read_header(file) == HEADER
    with pytest.raises(TemplateError, match="not a motion template"):
        read_header(io.BytesIO(b"text"))


def test_parts_survive_the_trip() -> None:
    back = unpack_part(pack_part(MOTION))
    assert set(back) == set(MOTION)
    np.testing.assert_array_equal(back["R"], MOTION["R"])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([MOTION, MOTION], "14 frames of motion for a template of 7"),
        ([{"R": MOTION["R"][:3]}, {"R": MOTION["R"][3:, :2]}], "disagree"),
        ([{"R": MOTION["R"], "eye_ratio": MOTION["eye_ratio"][:5]}], "disagree"),
        ([], "0 frames"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(tmp_path: Path, parts: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        write_template(tmp_path / "t.npz", HEADER, parts)


def rewritten(path: Path, compression: int = zipfile.ZIP_STORED, **members: Any) -> Path:
    """Copy a template with some members replaced by other arrays."""
    with np.load(path) as arrays:
        kept = dict(arrays)
    forged = path.with_name("forged.npz")
    with zipfile.ZipFile(forged, "w", compression) as archive:
        for name, array in {**kept, **members}.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    return forged


def text(header: TemplateHeader | str) -> np.ndarray:
    return np.frombuffer((header if isinstance(header, str) else header.to_json()).encode(), np.uint8)


def test_forged_files_are_refused(path: Path) -> None:
    for make in (
        {"R": MOTION["R"][:3]},
        {"R": MOTION["R"].astype(np.float64)},
        {"R": np.array([{"a": 1}], object)},
        {"header": text("[]")},
        {"header": text("{")},
        {"header": text(replace(HEADER, format_version=2))},
        {"header": text(replace(HEADER, n_frames=0))},
        {"header": np.array([pickle.dumps(1)], object)},
    ):
        with pytest.raises(TemplateError):
            TemplateReader(rewritten(path, **make))
    with pytest.raises(TemplateError):
        TemplateReader(rewritten(path, compression=zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", [640, 480, 3]), ("size", [640]), ("crop", [1.0] * 5), ("crop", [1.0] * 5 + [float("inf")])],
)
def test_a_size_or_a_crop_that_cannot_be_is_refused(path: Path, name: str, value: list[float]) -> None:
    """A count too many or too few, or numbers that are none; what can be is read."""
    good = replace(HEADER, size=(640, 480), crop=(1.0, 0.0, 5.0, 0.0, 1.0, 7.0))
    assert TemplateReader(rewritten(path, header=text(good))).header == good
    forged = json.dumps(json.loads(good.to_json()) | {name: value})
    with pytest.raises(TemplateError, match=f"{name} of {len(value)} numbers"):
        TemplateReader(rewritten(path, header=text(forged)))


def patched(path: Path, name: str, offset: int, value: int) -> Path:
    """Return a copy whose directory entry of a member says another 16-bit `value` at `offset` (APPNOTE 4.3.12)."""
    data = bytearray(path.read_bytes())
    at = data.rindex(f"{name}.npy".encode()) - 46
    assert data[at : at + 4] == b"PK\1\2"
    data[at + offset : at + offset + 2] = value.to_bytes(2, "little")
    forged = path.with_name("forged.npz")
    forged.write_bytes(data)
    return forged


VERSION_NEEDED, FLAGS, SIZES = 6, 8, (22, 26)


@pytest.mark.parametrize("name", ["header", "R"])
@pytest.mark.parametrize(
    ("offset", "value", "says"),
    [
        (VERSION_NEEDED, 64, "zip file version 6.4"),
        (FLAGS, 0x1, "encrypted"),
        (FLAGS, 0x20, "compressed patched data"),
        (FLAGS, 0x40, "strong encryption"),
    ],
)
def test_archives_of_a_kind_that_zipfile_does_not_know_are_refused(
    path: Path, name: str, offset: int, value: int, says: str
) -> None:
    forged = patched(path, name, offset, value)
    with pytest.raises(TemplateError, match=f"not a motion template.*{says}"):
        TemplateReader(forged)
    if name == "header" or offset == VERSION_NEEDED:
        with forged.open("rb") as file, pytest.raises(TemplateError, match=f"not a motion template.*{says}"):
            read_header(file)


def test_a_member_that_begins_before_the_file_is_refused(path: Path) -> None:
    """zipfile takes bytes before the archive into account, and would go to a place before the first one."""
    data = path.read_bytes()
    path.write_bytes(data[500:])
    for read in (TemplateReader, lambda place: read_header(place.open("rb"))):
        with pytest.raises(TemplateError, match="begins before the file does"):
            read(path)


@pytest.mark.parametrize(
    "header",
    [
        *("(" * 900, "-" * 900 + "1", "{'descr': '|O', 'fortran_order': False, 'shape': (7, 1), }", "", "\0" * 118),
        *("{'descr': '<f3', 'fortran_order': False, 'shape': (7, 1), }", "{'descr': (), 'fortran_order': False, }"),
        *("__import__('os').abort()", "{'descr': '<f4', 'fortran_order': False, 'shape': (7, -1), }"),
    ],
)
def test_an_array_that_says_anything_but_plain_numbers_is_refused(path: Path, header: str) -> None:
    """What numpy evaluates as a literal, and its tokenizer stumbles over, is read as the one form it may have."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode() + bytes(28))
    with pytest.raises(TemplateError, match="anything but plain numbers"):
        TemplateReader(path)


def test_a_member_that_is_longer_than_the_file_costs_no_memory(path: Path) -> None:
    """Rows are read at their place: a terabyte that is only announced must not be asked for."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (7, {1 << 26}), }}".encode()
    start = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", start + bytes(100))
    size = len(start) + 7 * 4 * (1 << 26)
    for offset in SIZES[::-1]:  # of the directory's entry: packed and whole, low and high half
        for half in (0, 2):
            path = patched(path, "x", offset - 2 + half, size >> 8 * half & 0xFFFF)
    with pytest.raises(TemplateError, match="the file ends before them"):
        TemplateReader(path)


@pytest.mark.parametrize("missing", ["[1e400]", "[" * 100_000, "5", "[null]"])
def test_a_header_of_other_values_is_refused(path: Path, missing: str) -> None:
    forged = HEADER.to_json().replace("[2, 3]", missing)
    with pytest.raises(TemplateError, match="not a motion template header"):
        TemplateReader(rewritten(path, header=text(forged)))


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/b", "..", "", "é", "a\0", "x" * 65])
def test_names_of_arrays_lead_nowhere(path: Path, name: str) -> None:
    """They become names of files when a template is imported: one that leads out of the folder is refused, read or
    written."""
    array = np.zeros((7, 1), np.float32)
    with pytest.raises(TemplateError, match=r"unexpected member|begins before"):
        TemplateReader(rewritten(path, **{name: array}))
    target = path.parent / "inner" / "deeper" / "t.npz"
    target.parent.mkdir(parents=True)
    before = {*path.parent.rglob("*")}
    with pytest.raises(TemplateError, match="letters, digits and _ only"):
        write_template(target, HEADER, [{**MOTION, name: array}])
    assert {*path.parent.rglob("*")} == before and not Path("/tmp/escaped").exists()


def test_any_cut_file_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(TemplateError):
            TemplateReader(path)


def test_an_endless_table_of_contents_is_refused_before_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many members, or few whose entries are long, or a ZIP64 record that says so in place of the end record."""
    whole = path.read_bytes()
    crowded, wordy, large = (path.with_name(name) for name in ("crowded.npz", "wordy.npz", "large.npz"))
    for copy in (crowded, wordy):
        copy.write_bytes(whole)
    with zipfile.ZipFile(crowded, "a") as archive:
        for i in range(200):
            archive.writestr(f"{i}.npy", b"")
    with zipfile.ZipFile(wordy, "a") as archive:
        for i in range(20):
            info = zipfile.ZipInfo(f"{i}.npy")
            info.comment = b"x" * 65_000
            archive.writestr(info, b"")
    large.write_bytes(whole[:-22] + b"PK\6\7" + bytes(16) + whole[-22:])
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("opened"))
    for copy, words in ((crowded, "members"), (wordy, "bytes"), (large, "does not end as")):
        with pytest.raises(TemplateError, match=words):
            TemplateReader(copy)
        with copy.open("rb") as file, pytest.raises(TemplateError, match=words):
            read_header(file)
