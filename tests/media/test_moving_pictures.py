"""Pictures that move are clips, films of one frame are pictures, and the content decides which is which."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest

from lp_ray.base.errors import InputTooLargeError
from lp_ray.base.limits import Limits
from lp_ray.media.clip import Clip, Still, open_clip, open_footage
from lp_ray.media.probe import probe_video
from lp_ray.media.sniff import is_video, moves

from .cards import LIMITS, card
from .ranges import check_ranges, make_coded, run_ffmpeg

N = 10
SIZE = (128, 96)


def _frames(clear: bool) -> list[PIL.Image.Image]:
    """A square that moves over two halves; with a hole, if asked, whose hidden colour is red."""
    made = []
    for k in range(N):
        picture = PIL.Image.new("RGBA", SIZE, (90, 140, 70, 255))
        draw = PIL.ImageDraw.Draw(picture)
        draw.rectangle((64, 0, 128, 96), fill=(60, 60, 160, 255))
        draw.rectangle((8 * k, 30, 8 * k + 24, 60), fill=(230, 220, 210, 255))
        if clear:
            draw.rectangle((0, 72, 40, 96), fill=(255, 0, 0, 0))
            draw.rectangle((88, 72, 128, 96), fill=(255, 0, 0, 128))
        made.append(picture)
    return made


def _on_white(picture: PIL.Image.Image) -> np.ndarray:
    paper = PIL.Image.new("RGBA", SIZE, (255, 255, 255, 255))
    return np.asarray(PIL.Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB"), int)


SAVED = {
    "lossless.webp": {"lossless": True, "minimize_size": True},
    "lossy.webp": {"quality": 95},
    "plain.apng": {"format": "PNG"},
    "background.apng": {"format": "PNG", "disposal": 1, "blend": 0},
    "over.apng": {"format": "PNG", "disposal": 0, "blend": 1},
    "named.png": {},
    "clear.avif": {"quality": 95, "subsampling": "4:4:4"},
}


@pytest.mark.parametrize("clear", [False, True], ids=["opaque", "clear"])
@pytest.mark.parametrize("name", SAVED)
def test_pictures_that_move_are_clips(name: str, clear: bool, tmp_path: Path) -> None:
    """Ten frames at ten per second, as they look on white paper, whatever the file stores of each."""
    drawn, path = _frames(clear), tmp_path / name
    if name == "over.apng" and clear:
        pytest.skip("laid over each other, holes would close")
    first, *rest = drawn if clear or name != "clear.avif" else [picture.convert("RGB") for picture in drawn]
    first.save(path, save_all=True, append_images=rest, duration=100, loop=0, **SAVED[name])
    assert is_video(path) and moves(path)
    clip = check_ranges(path, None)
    assert (clip.fps, clip.n_frames, clip.size) == (Fraction(10), N, SIZE)
    allowed = {"lossy.webp": 24, "clear.avif": 10}.get(name, 1)
    for picture, expected in zip(clip.frames(), drawn, strict=True):
        found, wanted = picture.astype(int), _on_white(expected)
        assert np.quantile(np.abs(found - wanted), 0.98) <= allowed
        assert np.abs(found[76:92, 4:36] - wanted[76:92, 4:36]).mean() <= allowed


def test_delays_of_an_animated_picture_are_its_times(tmp_path: Path) -> None:
    first, *rest = _frames(clear=False)
    for name in ("a.webp", "a.apng"):
        path = tmp_path / name
        more = {"format": "PNG"} if name.endswith("apng") else {"lossless": True}
        first.save(path, save_all=True, append_images=rest, duration=[100] * 5 + [300] * 5, **more)
        info = probe_video(path, LIMITS)
        assert (info.fps, info.n_frames) == (Fraction(10), 20)


ONE_FRAME = ["one.gif", "one.webp", "one.apng", "one.avif"]


@pytest.mark.parametrize("name", ONE_FRAME)
def test_one_frame_of_a_picture_is_a_picture(name: str, tmp_path: Path) -> None:
    picture = _frames(clear=False)[3]
    path = tmp_path / name
    picture.convert("RGB").save(path, format="PNG" if name.endswith("apng") else None)
    assert not moves(path)
    footage = open_footage(path, LIMITS)
    assert footage.n_frames == 1
    shown = next(footage.frames())
    assert np.quantile(np.abs(shown.astype(int) - _on_white(picture)), 0.9) <= 12


def test_an_announced_animation_of_one_frame_is_a_picture(tmp_path: Path) -> None:
    """The file says that it moves, and holds one frame."""
    path = tmp_path / "one.apng"
    frame = _frames(clear=False)[0]
    frame.save(path, format="PNG", save_all=True, append_images=[frame], duration=100, default_image=True)
    assert not moves(path)
    assert isinstance(open_footage(path, LIMITS), Still)


def test_a_gif_of_two_images_moves_and_a_damaged_one_does_not_hang(tmp_path: Path) -> None:
    path = make_coded(tmp_path / "two.gif", [1, 2], ())
    assert moves(path)
    data = path.read_bytes()
    for cut in range(0, len(data), 97):
        path.write_bytes(data[:cut] or b"GIF89a")
        moves(path)


def test_a_film_of_one_frame_is_a_clip_until_its_packets_are_listed(tmp_path: Path) -> None:
    path = make_coded(tmp_path / "one.mp4", [7], ["-c:v", "libx264"])
    assert moves(path)
    clip = open_clip(path, LIMITS)
    assert isinstance(clip, Clip) and clip.n_frames == 1


@pytest.mark.parametrize("suffix", ["mts", "m2ts", "ts"])
def test_transport_streams_of_every_packet_size(suffix: str, tmp_path: Path) -> None:
    """Packets of 188 bytes; AVCHD's of 192, a time before each; DVB's of 204, a checksum after each."""
    muxed = "ts" if suffix == "ts" else "m2ts"
    path = make_coded(tmp_path / f"camera.{muxed}", range(30), ["-c:v", "libx264", "-g", "10", "-bf", "2"])
    path = path.rename(path.with_suffix(f".{suffix}"))
    data = path.read_bytes()
    assert (data[4] if suffix != "ts" else data[0]) == 0x47
    check_ranges(path, range(30))
    if suffix == "ts":
        packets = [data[at : at + 188] for at in range(0, len(data), 188)]
        path.write_bytes(b"".join(packet + bytes(16) for packet in packets))
        check_ranges(path, range(30))


def test_a_text_full_of_sync_bytes_is_no_transport_stream(tmp_path: Path) -> None:
    path = tmp_path / "g.ts"
    path.write_text(("G" + "x" * 45 + "\n") * 100)
    assert not is_video(path)


def test_mpeg_video_without_a_container(tmp_path: Path) -> None:
    coded = ["-c:v", "mpeg2video", "-g", "10", "-q:v", "3"]
    path = make_coded(tmp_path / "bare.m2v", range(30), coded)
    assert check_ranges(path, range(30)).fps == 25


def test_pixels_of_a_moving_picture_are_bounded(tmp_path: Path) -> None:
    first, *rest = _frames(clear=False)
    path = tmp_path / "a.webp"
    first.save(path, save_all=True, append_images=rest, duration=100)
    with pytest.raises(InputTooLargeError, match="128 x 96 pixels; max_pixels is 1,000"):
        open_clip(path, Limits(max_pixels=1000))


def test_pixels_are_bounded_where_a_clip_grows(tmp_path: Path) -> None:
    """The container says 176 x 144; later pictures are larger."""
    codec = ["-c:v", "libvpx", "-b:v", "2M"]
    parts = [make_coded(tmp_path / f"{w}.webm", range(5), codec, size=(w, h)) for w, h in ((176, 144), (704, 576))]
    script = tmp_path / "list.txt"
    script.write_text("".join(f"file '{part}'\n" for part in parts))
    path = tmp_path / "grows.webm"
    run_ffmpeg("-f", "concat", "-safe", "0", "-i", script, "-c", "copy", "-y", path)
    assert open_clip(path, Limits(max_pixels=704 * 576)).n_frames == 10
    with pytest.raises(InputTooLargeError, match="704 x 576 pixels; max_pixels is 100,000"):
        open_clip(path, Limits(max_pixels=100_000))


def test_the_same_pictures_as_gif_webp_and_apng(tmp_path: Path) -> None:
    """One flow of pictures, three containers: the same count, rate and looks."""
    cards = make_coded(tmp_path / "cards.mkv", range(20), ["-c:v", "ffv1"], fps="10")
    for name, options in (("a.gif", ()), ("a.webp", ("-c:v", "libwebp_anim", "-lossless", "1")), ("a.apng", ())):
        path = tmp_path / name
        run_ffmpeg("-i", cards, *options, "-y", path)
        clip = check_ranges(path, range(20))
        assert clip.fps == 10
        assert np.abs(next(clip.frames()).astype(int) - card(0, 176, 144)).mean() < 9
