"""Frames as one archive of PNG pictures: every pixel, every frame, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from lp_ray.base.errors import EngineOutputError
from lp_ray.media.facts import MediaFacts, still_facts
from lp_ray.media.frames_zip import join_frames, write_frames
from lp_ray.media.images import write_image

WIDTH, HEIGHT = 31, 21
FRAMES = np.random.default_rng(0).integers(0, 256, (12, HEIGHT, WIDTH, 3), np.uint8)


def _pieces(folder: Path, lengths: tuple[int, ...] = (5, 5, 2)) -> list[Path]:
    paths, first = [], 0
    for i, n in enumerate(lengths):
        paths.append(folder / f"{i}.zip")
        assert write_frames(paths[-1], FRAMES[first : first + n], first) == n
        first += n
    return paths


def test_every_frame_is_there_pixel_for_pixel(tmp_path: Path) -> None:
    """Odd sides stay: PNG needs no even ones."""
    output = tmp_path / "frames.zip"
    facts = join_frames(_pieces(tmp_path), output, 12, Fraction(30000, 1001))
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    size = output.stat().st_size
    assert facts == MediaFacts(12, WIDTH, HEIGHT, size, digest, Fraction(30000, 1001), 12 * 1001 / 30000)
    with zipfile.ZipFile(output) as archive:
        assert archive.namelist() == [f"{n:06d}.png" for n in range(12)]
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        for n, name in enumerate(archive.namelist()):
            np.testing.assert_array_equal(np.asarray(PIL.Image.open(io.BytesIO(archive.read(name)))), FRAMES[n])
        archive.extractall(tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "000011.png").stat().st_mode & 0o777 == 0o644


def test_bytes_do_not_depend_on_the_day_or_on_how_the_frames_were_cut(tmp_path: Path) -> None:
    written = []
    for i, lengths in enumerate(((5, 5, 2), (5, 5, 2), (1, 11))):
        folder = tmp_path / str(i)
        folder.mkdir()
        written.append(join_frames(_pieces(folder, lengths), folder / "frames.zip", 12))
    assert written[0] == written[1] == written[2]
    assert written[0].fps is None


def test_missing_repeated_and_swapped_pieces_are_caught_and_leave_no_file(tmp_path: Path) -> None:
    a, b, c = _pieces(tmp_path)
    output = tmp_path / "frames.zip"
    for paths, reason in (
        ([a, b], "hold 10 frames, not 12"),
        ([a, a, b, c], r"holds 000000\.png where 000005\.png should follow"),
        ([a, c, b], r"holds 000010\.png where 000005\.png"),
        ([], "hold 0 frames, not 12"),
    ):
        with pytest.raises(EngineOutputError, match=reason):
            join_frames(paths, output, 12)
        assert not output.exists()


def test_damaged_pieces_are_caught_and_leave_no_file(tmp_path: Path) -> None:
    a, b, c = _pieces(tmp_path)
    output = tmp_path / "frames.zip"
    whole = b.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (bytes(flipped), whole[: len(whole) // 2], b""):
        b.write_bytes(content)
        with pytest.raises(EngineOutputError, match=r"1\.zip: damaged archive"):
            join_frames([a, b, c], output, 12)
        assert not output.exists()
    write_frames(b, FRAMES[5:10, :20], 5)
    with pytest.raises(EngineOutputError, match=r"1\.zip: frame 5 is not of 31 x 21"):
        join_frames([a, b, c], output, 12)


def test_wrong_frames_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "piece.zip"
    with pytest.raises(ValueError, match="no frames"):
        write_frames(path, [])
    with pytest.raises(ValueError, match="expected uint8 like"):
        write_frames(path, [FRAMES[0], FRAMES[1][:5]])
    assert not path.exists()


def test_frames_are_taken_one_at_a_time(tmp_path: Path) -> None:
    taken = 0

    def pictures() -> Iterator[np.ndarray]:
        nonlocal taken
        for n in range(12):
            taken = n
            assert path.stat().st_size >= n * 1000  # what came before is written
            yield FRAMES[n]

    path = tmp_path / "piece.zip"
    assert write_frames(path, pictures()) == 12
    assert taken == 11


def test_a_still_is_one_frame_without_a_rate(tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    write_image(path, FRAMES[3])
    facts = still_facts(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts == MediaFacts(1, WIDTH, HEIGHT, path.stat().st_size, digest, None, None, False)
