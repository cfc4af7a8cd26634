"""A picture that crashes its decoder affects nothing else; the next picture is read normally."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import (
    DecoderCrashedError,
    DecoderMemoryError,
    DecoderTimeoutError,
    InputTooLargeError,
    MissingInputError,
    TruncatedMediaError,
)
from lp_ray.base.limits import Limits
from lp_ray.isolation.child import Child, ChildDiedError, Kind
from lp_ray.isolation.wire import Message
from lp_ray.media import ffmpeg, images, isolated
from lp_ray.media.clip import open_clip
from tests.faults import plants
from tests.generated import Generated

from .cards import make_clip

LIMITS = Limits(picture_timeout_s=20, decoder_bytes=1 << 30)


@pytest.fixture(scope="module")
def picture(generated: Generated) -> bytes:
    return generated.portrait.read_bytes()


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The decoder's process finds the plants; it is a new one, and gone afterwards."""
    monkeypatch.syspath_prepend(str(plants.FOLDER))
    monkeypatch.setattr(isolated, "_children", children := {})
    yield
    for child in children.values():
        child.close()


def test_a_picture_is_the_same_through_the_child(picture: bytes, tmp_path: Path) -> None:
    path = tmp_path / "照片 (1).jpg"
    path.write_bytes(picture)
    np.testing.assert_array_equal(isolated.read_image(path, LIMITS), images.read_image(path, LIMITS))
    assert isolated.probe_image(path, LIMITS) == images.probe_image(path, LIMITS)


def test_an_error_of_a_picture_is_its_own_class_and_message(picture: bytes, tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(picture[:3000])
    (tmp_path / "whole.jpg").write_bytes(picture)
    with pytest.raises(TruncatedMediaError, match=r"cut\.jpg: the picture ends early.*fetch it again"):
        isolated.read_image(tmp_path / "cut.jpg", LIMITS)
    with pytest.raises(MissingInputError, match=r"no\.jpg"):
        isolated.read_image(tmp_path / "no.jpg", LIMITS)
    with pytest.raises(InputTooLargeError, match="max_pixels is 1,000"):
        isolated.read_image(tmp_path / "whole.jpg", replace(LIMITS, max_pixels=1000))


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize(
    ("fault", "limits", "error", "words"),
    [
        ("segfault", LIMITS, DecoderCrashedError, r"bad\.jpg: the decoder died of SIGSEGV"),
        ("hang", replace(LIMITS, picture_timeout_s=4), DecoderTimeoutError, r"after 4 s \(limits\.picture_timeout_s\)"),
        ("memory", LIMITS, DecoderMemoryError, r"more than 1,073,741,824 bytes of memory \(limits\.decoder_bytes\)"),
    ],
)
def test_a_decoder_that_dies_is_blamed_on_its_picture_alone(
    picture: bytes, tmp_path: Path, fault: str, limits: Limits, error: type[Exception], words: str
) -> None:
    """A real crash: the child that read the bad picture is gone, and the good pictures are read normally."""
    good, bad = tmp_path / "good.jpg", plants.plant(tmp_path / "bad.jpg", picture, fault)
    good.write_bytes(picture)
    expected = images.read_image(good, LIMITS)
    for _ in range(2):
        np.testing.assert_array_equal(isolated.read_image(good, LIMITS), expected)
        with pytest.raises(error, match=words):
            isolated.read_image(bad, limits)
    np.testing.assert_array_equal(isolated.read_image(good, LIMITS), expected)


def about(request: Message) -> Iterator[Message]:
    """A child's handler: tell of itself, or wait."""
    if request.fields.get("wait"):
        time.sleep(1000)
    yield Message({"pid": os.getpid(), "environment": dict(os.environ)})


def test_a_decoder_knows_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very secret")
    monkeypatch.setenv("HF_TOKEN", "very secret too")
    child = Child(Kind(f"{__name__}:about", bare=True))
    (answer,) = child.ask(Message(), 60)
    child.close()
    assert "secret" not in str(answer.fields["environment"])


def test_a_child_ended_from_outside_is_replaced_without_blame() -> None:
    """Idle, nobody notices; at work, its parent learns that it was killed, and not by what it did."""
    child = Child(Kind(f"{__name__}:about", bare=True))
    (first,) = child.ask(Message(), 60)
    os.kill(first.fields["pid"], 9)
    os.waitid(os.P_PID, first.fields["pid"], os.WEXITED | os.WNOWAIT)
    (second,) = child.ask(Message(), 60)
    assert second.fields["pid"] != first.fields["pid"]
    with pytest.raises(TimeoutError):
        list(child.ask(Message({"wait": True}), 0.2))
    (third,) = child.ask(Message(), 60)
    assert third.fields["pid"] != second.fields["pid"]
    child.close()


@pytest.fixture
def fake_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REAL_FFMPEG", ffmpeg.executable())
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", plants.ENVIRONMENT["IMAGEIO_FFMPEG_EXE"])
    ffmpeg.executable.cache_clear()
    yield
    ffmpeg.executable.cache_clear()


@pytest.mark.usefixtures("fake_ffmpeg")
def test_a_clip_decoder_that_dies_or_hangs_says_so(tmp_path: Path) -> None:
    good = make_clip(tmp_path / "good.mp4", Fraction(25), range(3))
    for name in ("segfault.mp4", "hang.mp4"):
        (tmp_path / name).write_bytes(good.read_bytes())
    with pytest.raises(DecoderCrashedError, match=r"segfault\.mp4: the decoder died of SIGSEGV"):
        open_clip(tmp_path / "segfault.mp4", LIMITS)
    with pytest.raises(DecoderTimeoutError, match=r"hang\.mp4: .*nothing for 2 s and was stopped"):
        open_clip(tmp_path / "hang.mp4", replace(LIMITS, timeout_s=2))
    assert len(list(open_clip(good, LIMITS).frames())) == 3


def test_a_clip_that_takes_too_much_memory_or_cpu_says_so(tmp_path: Path) -> None:
    clip = open_clip(make_large_clip(tmp_path / "large.mp4"), LIMITS)
    with pytest.raises(DecoderMemoryError, match=r"large\.mp4.*limits\.decoder_bytes"):
        list(replace(clip, limits=replace(LIMITS, decoder_bytes=300 << 20)).frames())
    with pytest.raises(DecoderTimeoutError, match=r"large\.mp4.*limits\.decoder_cpu_s"):
        list(replace(clip, limits=replace(LIMITS, decoder_bytes=6 << 30, decoder_cpu_s=1)).frames())


def make_large_clip(path: Path) -> Path:
    """125 frames of 4000 x 3000 pixels that cost little to make and much to decode."""
    source = ["-f", "lavfi", "-i", "color=gray:size=4000x3000:rate=25:duration=5"]
    ffmpeg.run([*source, "-c:v", "libx264", "-preset", "ultrafast", ffmpeg.file_url(path)], 120, path.name)
    return path


def test_a_dead_child_is_described() -> None:
    assert ChildDiedError(-11).crashed and not ChildDiedError(-9).crashed
    assert "want of memory" in str(ChildDiedError(-9)) and "exit code 3" in str(ChildDiedError(3))
