"""The encoder uses the given quality and effort, and is never silently replaced by another encoder."""

from __future__ import annotations

import re
import typing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import InputError, RefusedError
from lp_ray.contract.options import Preset
from lp_ray.media.decode import frames
from lp_ray.media.encode import NVENC_PRESETS, check_encoder, encode_segment
from lp_ray.media.join import join_segments
from lp_ray.media.probe import probe_video

from .cards import LIMITS, card, make_clip

FPS = Fraction(30000, 1001)


def _noise(n: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 64, 96, 3), np.uint8)


def _settings(path: Path) -> dict[str, str]:
    """What x264 wrote about itself into the bitstream (an SEI message in front of the first picture)."""
    text = re.search(rb"x264 - core .*? options: ([ -~]+)", path.read_bytes())
    assert text is not None
    return dict(pair.split("=", 1) for pair in text.group(1).decode().split(" ") if "=" in pair)


def test_crf_reaches_the_bitstream_and_the_size(tmp_path: Path) -> None:
    sizes = []
    for crf in (0, 18, 30, 51):
        path = tmp_path / f"{crf}.mp4"
        encode_segment(path, _noise(), FPS, crf, "veryfast")
        written = _settings(path)
        assert float(written["crf"]) == crf if crf else written["rc"] == "cqp" and written["qp"] == "0"
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] > 2 * sizes[2]


def test_every_preset_reaches_the_bitstream(tmp_path: Path) -> None:
    """Each differs from the next in what x264 says it did, and the joined video still says it."""
    seen = []
    for preset in typing.get_args(Preset):
        segments = [tmp_path / f"{preset}{i}.mp4" for i in range(2)]
        for path in segments:
            encode_segment(path, _noise(4), FPS, 23, preset)
        joined = tmp_path / f"{preset}.mp4"
        join_segments(segments, joined, FPS, 8)
        seen.append(_settings(joined))
        assert _settings(joined) == _settings(segments[0])
    assert len({tuple(sorted(settings.items())) for settings in seen}) == len(seen)
    assert (seen[0]["subme"], seen[-1]["subme"]) == ("0", "9")


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        encode_segment(tmp_path / name, _noise(), FPS, 23, "medium")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_x264_works_wherever_the_tests_do() -> None:
    check_encoder("x264")


def test_nvenc_without_a_gpu_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No fallback: at the start the job is refused, later the segment fails, and no file is left."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    reason = r"(libcuda|libnvidia-encode|CUDA|cuInit|capable devices).*use encoder=x264"
    with pytest.raises(RefusedError, match=rf"encoder=nvenc does not work on this machine: .*{reason}"):
        check_encoder("nvenc")
    path = tmp_path / "segment.mp4"
    with pytest.raises(InputError, match=reason):
        encode_segment(path, [card(1, 320, 192)] * 40, FPS, 18, "veryfast", encoder="nvenc")
    assert not path.exists()


def test_nvenc_has_a_counterpart_of_every_preset(tmp_path: Path) -> None:
    assert set(NVENC_PRESETS) == set(typing.get_args(Preset))
    assert list(NVENC_PRESETS.values()) == sorted(NVENC_PRESETS.values())
    with pytest.raises(ValueError, match="'placebo' has no counterpart in NVENC"):
        encode_segment(tmp_path / "a.mp4", [card(1)], FPS, 18, "placebo", encoder="nvenc")


def test_nvenc_where_there_is_one(tmp_path: Path) -> None:
    """Segments by NVENC join like those by x264, frame by frame, and quality counts."""
    try:
        check_encoder("nvenc")
    except RefusedError as error:
        pytest.skip(str(error))
    segments = [tmp_path / f"{i}.mp4" for i in range(3)]
    for i, path in enumerate(segments):
        encode_segment(path, (card(32 * i + k, 320, 192) for k in range(32)), FPS, 18, "slow", encoder="nvenc")
    facts = join_segments(segments, tmp_path / "joined.mp4", FPS, 96)
    assert (facts.n_frames, facts.fps) == (96, FPS)
    info = probe_video(tmp_path / "joined.mp4", LIMITS)
    wanted = make_clip(tmp_path / "x264.mp4", FPS, range(96), 320, 192)
    pairs = zip(frames(tmp_path / "joined.mp4", info, LIMITS), frames(wanted, info, LIMITS), strict=True)
    assert max(np.abs(ours.astype(int) - theirs).mean() for ours, theirs in pairs) < 5
    encode_segment(tmp_path / "poor.mp4", np.repeat(_noise(16), 4, 1).repeat(4, 2), FPS, 45, "slow", encoder="nvenc")
    encode_segment(tmp_path / "good.mp4", np.repeat(_noise(16), 4, 1).repeat(4, 2), FPS, 15, "slow", encoder="nvenc")
    assert (tmp_path / "good.mp4").stat().st_size > 2 * (tmp_path / "poor.mp4").stat().st_size
