"""Colours as they were meant: HDR and wide gamuts as BT.709, full and limited range, matrices; and fields as frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import UnsupportedError
from lp_ray.media import ffmpeg
from lp_ray.media.clip import open_clip
from lp_ray.media.decode import frames
from lp_ray.media.encode import encode_segment
from lp_ray.media.filters import is_hdr
from lp_ray.media.images import read_image
from lp_ray.media.probe import probe_video

from .cards import LIMITS, Pixels
from .ranges import check_ranges, make_coded, run_ffmpeg

X265 = ("-c:v", "libx265", "-crf", "8", "-pix_fmt", "yuv420p10le")
BARS = ((180, 60, 40), (40, 150, 70), (50, 70, 190), (128, 128, 128), (16, 16, 16), (200, 190, 180))


def _x265(primaries: str, transfer: str, matrix: str) -> list[str]:
    tags = f"log-level=none:colorprim={primaries}:transfer={transfer}:colormatrix={matrix}"
    return [*X265, "-x265-params", tags]


def _bars(width: int = 96, height: int = 64) -> Pixels:
    return np.tile(np.repeat(np.array(BARS, np.uint8), width // len(BARS), axis=0), (height, 1, 1))


def _seen(path: Path) -> Pixels:
    """The colour in the middle of each bar of the first frame."""
    picture = next(open_clip(path, LIMITS).frames())
    centres = ((np.arange(len(BARS)) + 0.5) * picture.shape[1] / len(BARS)).astype(int)
    return picture[picture.shape[0] // 2, centres]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    path = tmp_path / "bars.mp4"
    encode_segment(path, np.stack([_bars()] * 5), 25, 0, "veryfast")  # type: ignore[arg-type]
    return path


def _to_hdr(source: Path, path: Path, transfer: str, nits: int = 203) -> Path:
    """An SDR clip as an HDR camera would code it: its white at 203 cd/m2 (BT.2408), in BT.2020."""
    name = {"arib-std-b67": "arib-std-b67", "smpte2084": "smpte2084"}[transfer]
    light = f"zscale=tin=bt709:pin=bt709:min=bt709:t=linear:npl={nits},format=gbrpf32le"
    coded = f"zscale=p=bt2020:t={name}:m=bt2020nc:r=tv:npl={nits},format=yuv420p10le"
    run_ffmpeg("-i", source, "-vf", f"{light},{coded}", *_x265("bt2020", name, "bt2020nc"), "-y", path)
    return path


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
def test_hdr_is_mapped_to_the_colours_of_its_sdr_twin(transfer: str, bars: Path, tmp_path: Path) -> None:
    path = _to_hdr(bars, tmp_path / "hdr.mov", transfer)
    assert is_hdr(probe_video(path, LIMITS).colours)
    found = _seen(path).astype(int)
    assert np.abs(found - BARS).max() <= 14, found
    assert np.abs(found[:5] - BARS[:5]).max() <= 5, found  # below the knee nothing changes


def test_light_above_white_is_rolled_off_not_clipped(tmp_path: Path) -> None:
    """A ramp of PQ from 0 to 1000 cd/m2 stays a ramp: brighter is never darker, and 400 is not yet 1000."""
    ramp = np.repeat(np.arange(0, 256, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    sdr = tmp_path / "ramp.mp4"
    encode_segment(sdr, np.stack([ramp] * 3), 25, 0, "veryfast")  # type: ignore[arg-type]
    path = _to_hdr(sdr, tmp_path / "ramp.mov", "smpte2084", nits=1000)
    shown = next(open_clip(path, LIMITS).frames())[32].astype(int).mean(axis=1)
    smooth = np.convolve(shown, np.ones(5) / 5, "valid")
    assert (np.diff(smooth) >= -1).all()
    assert shown[-2] > 250
    assert shown[132] < shown[170] < shown[220] < shown[254]  # about 200, 380, 700 and 990 cd/m2


@pytest.mark.parametrize("size", [(97, 65), (96, 65)])
def test_hdr_of_odd_size(size: tuple[int, int], bars: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.mkv"
    run_ffmpeg("-i", bars, "-vf", f"scale={size[0]}:{size[1]},format=yuv444p", "-c:v", "ffv1", "-y", odd)
    path = tmp_path / "odd.mov"
    tags = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]
    run_ffmpeg("-i", odd, "-c:v", "prores_ks", "-pix_fmt", "yuv422p10le", *tags, "-y", path)
    clip = open_clip(path, LIMITS)
    assert {picture.shape for picture in clip.frames()} == {(clip.size[1], clip.size[0], 3)}


@pytest.mark.parametrize(("primaries", "matrix"), [("bt2020", "bt2020nc"), ("smpte432", "bt709")])
def test_wide_gamuts_become_bt709(primaries: str, matrix: str, bars: Path, tmp_path: Path) -> None:
    wide = f"zscale=tin=bt709:pin=bt709:min=bt709:p={primaries}:t=bt709:m={matrix}:r=tv,format=yuv420p10le"
    path = tmp_path / "wide.mp4"
    run_ffmpeg("-i", bars, "-vf", wide, *_x265(primaries, "bt709", matrix), "-y", path)
    assert np.abs(_seen(path).astype(int) - BARS).max() <= 5
    info = probe_video(path, LIMITS)
    plain = replace(info, colours=replace(info.colours, primaries="bt709"))
    untouched = next(frames(path, plain, LIMITS))[32, 8].astype(int)
    assert np.abs(untouched - BARS[0]).max() > 10  # the clip really is of another gamut


@pytest.mark.parametrize("coded_range", ["tv", "pc"])
@pytest.mark.parametrize("name", ["x264.mp4", "x264.mkv", "vp9.webm", "mjpeg.mov", "x265.mp4", "ffv1.mkv", "mpeg4.avi"])
def test_full_and_limited_range_are_kept_right(name: str, coded_range: str, bars: Path, tmp_path: Path) -> None:
    codec = {
        "x264": ("-c:v", "libx264", "-crf", "4"), "vp9": ("-c:v", "libvpx-vp9", "-b:v", "4M"),
        "mjpeg": ("-c:v", "mjpeg", "-q:v", "1", "-strict", "unofficial"),
        "x265": ("-c:v", "libx265", "-crf", "4", "-x265-params", "log-level=none"),
        "ffv1": ("-c:v", "ffv1"), "mpeg4": ("-c:v", "mpeg4", "-q:v", "1"),
    }[name.split(".")[0]]  # fmt: skip
    if (name, coded_range) == ("mpeg4.avi", "pc"):
        pytest.skip("neither AVI nor MPEG-4 says that a stream is of full range")
    path = tmp_path / name
    look = f"scale=out_color_matrix=bt601:out_range={coded_range},format=yuv420p,setparams=range={coded_range}"
    run_ffmpeg("-i", bars, "-vf", look, *codec, "-color_range", coded_range, "-colorspace", "smpte170m", "-y", path)
    assert np.abs(_seen(path).astype(int) - BARS).max() <= 6


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc", "smpte240m", "fcc"])
def test_the_stream_s_own_matrix_is_used(matrix: str, bars: Path, tmp_path: Path) -> None:
    path = tmp_path / "coded.mp4"
    scaled = {"smpte170m": "bt601", "bt2020nc": "bt2020"}.get(matrix, matrix)
    look = f"scale=out_color_matrix={scaled},format=yuv420p,setparams=colorspace={matrix}"
    run_ffmpeg("-i", bars, "-vf", look, "-c:v", "libx264", "-crf", "4", "-colorspace", matrix, "-y", path)
    assert np.abs(_seen(path).astype(int) - BARS).max() <= 5


def test_dolby_vision_without_a_common_base_is_refused_by_name(tmp_path: Path) -> None:
    """Profile 5 in another decoder is green and purple; profile 8 has a base that is right."""
    clip = make_coded(
        tmp_path / "plain.mp4", range(3), ["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none"]
    )
    for profile, base in ((5, 0), (8, 4)):
        path = tmp_path / f"dolby{profile}.mp4"
        path.write_bytes(_with_dolby_box(clip.read_bytes(), profile, base))
        if base:
            assert probe_video(path, LIMITS).n_frames == 3
        else:
            with pytest.raises(UnsupportedError, match=r"dolby5\.mp4: Dolby Vision .*HDR10, HLG or SDR"):
                probe_video(path, LIMITS)


def _with_dolby_box(data: bytes, profile: int, base: int) -> bytes:
    """Put a box dvcC at the end of the sample entry hvc1 of an mp4 whose index is last (Dolby, ISOBMFF 2.1.2, 3.1)."""
    fields = bytes([1, 0, profile << 1, (1 << 3) | 0b101, base << 4]) + bytes(19)
    box = (8 + len(fields)).to_bytes(4, "big") + (b"dvcC" if profile <= 7 else b"dvvC") + fields
    grown = bytearray(data)
    entry = data.index(b"hvc1", data.index(b"stsd")) - 4
    end = entry + int.from_bytes(data[entry : entry + 4], "big")
    grown[end:end] = box
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"):
        at = data.index(name, data.index(b"moov")) - 4
        size = int.from_bytes(data[at : at + 4], "big") + len(box)
        grown[at : at + 4] = size.to_bytes(4, "big")
    return bytes(grown)


INTERLACED = {
    "x264.mp4": ("-c:v", "libx264", "-crf", "10", "-bf", "2", "-g", "10"),
    "x264.mkv": ("-c:v", "libx264", "-crf", "10", "-bf", "2", "-g", "10"),
    "x264.ts": ("-c:v", "libx264", "-crf", "10", "-bf", "2", "-g", "10"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-g", "10"),
    "mpeg2.ts": ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-g", "10"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "2"),
    "mpeg4.mp4": ("-c:v", "mpeg4", "-q:v", "2"),
    "prores.mov": ("-c:v", "prores_ks"),
    "mjpeg.mov": ("-c:v", "mjpeg", "-q:v", "2"),
    "ffv1.mkv": ("-c:v", "ffv1"),
    "utvideo.mkv": ("-c:v", "utvideo", "-pix_fmt", "yuv422p"),
}


def _moving_bar(k: int) -> Pixels:
    picture = np.full((96, 160, 3), 60, np.uint8)
    picture[:, 4 * k : 4 * k + 24] = 220
    return picture


def _combs(picture: Pixels) -> float:
    """How much rows differ from the mean of the rows above and below: large where two fields of a moving thing mix."""
    grey = picture.astype(float).mean(axis=2)
    return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2).mean())


@pytest.mark.parametrize("field", ["top", "bottom"])
@pytest.mark.parametrize("name", INTERLACED)
def test_interlaced_clips_have_no_combs(name: str, field: str, tmp_path: Path) -> None:
    """Found by their flags; as many frames as the file has, and a range is a slice of the whole pass."""
    progressive = tmp_path / "progressive.mkv"
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", "160x96", "-framerate", "50", "-i", "pipe:0"]
    moving = (ffmpeg.raw_bytes(_moving_bar(k % 30)) for k in range(60))
    ffmpeg.feed([*raw, "-c:v", "ffv1", "-y", ffmpeg.file_url(progressive)], moving, 60, "a moving bar")
    mixed = f"tinterlace=interleave_{field},setfield={field[0]}ff"
    path = tmp_path / name
    flags = () if name == "mjpeg.mov" else ("-flags", "+ildct+ilme")
    coded = [*INTERLACED[name], *flags, "-field_order", "tt" if field == "top" else "bb"]
    run_ffmpeg("-i", progressive, "-vf", mixed, *coded, "-y", path)
    info = probe_video(path, LIMITS)
    assert info.deinterlace
    combed = list(frames(path, replace(info, deinterlace=""), LIMITS))
    clip = check_ranges(path, None)
    clean = list(clip.frames())
    assert (len(clean), clip.fps) == (30, 25)
    assert np.mean([_combs(picture) for picture in combed]) > 7
    assert np.mean([_combs(picture) for picture in clean]) < 2


def test_a_progressive_clip_is_left_alone(tmp_path: Path) -> None:
    path = make_coded(tmp_path / "clip.mp4", range(10), ["-c:v", "libx264"])
    assert probe_video(path, LIMITS).deinterlace == ""


def test_frames_between_interlaced_ones_stay_as_they_are(tmp_path: Path) -> None:
    """Film in a television programme: only pictures that are flagged are touched."""
    parts = []
    for i, (flags, field) in enumerate((((), "prog"), (("-flags", "+ildct+ilme"), "tff"))):
        parts.append(tmp_path / f"{i}.ts")
        cards = make_coded(tmp_path / f"{i}.mkv", range(20 * i, 20 * i + 20), ["-c:v", "ffv1"])
        coded = ["-c:v", "mpeg2video", "-q:v", "2", "-g", "10", *flags]
        run_ffmpeg("-i", cards, "-vf", f"setfield={field}", *coded, "-y", parts[-1])
    path = tmp_path / "mixed.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    info = probe_video(path, LIMITS)
    assert info.deinterlace == "interlaced"
    clip = check_ranges(path, [*range(19), *range(20, 40)])  # MPEG-2 decoders lose the last of a sequence
    plain = list(frames(path, replace(info, deinterlace=""), LIMITS))
    changed = [not np.array_equal(ours, theirs) for ours, theirs in zip(clip.frames(), plain, strict=True)]
    assert changed == [False] * 19 + [True] * 20


def test_interlaced_pictures_on_their_side_are_refused_by_name(tmp_path: Path) -> None:
    coded = make_coded(
        tmp_path / "i.mp4", range(10), ["-vf", "setfield=tff", "-c:v", "libx264", "-flags", "+ildct+ilme"]
    )
    path = tmp_path / "turned.mp4"
    run_ffmpeg("-display_rotation", "90", "-i", coded, "-c", "copy", "-y", path)
    with pytest.raises(UnsupportedError, match=r"turned\.mp4: interlaced pictures lying on their side"):
        probe_video(path, LIMITS)


@pytest.fixture
def hlg_and_sdr(cases: Path) -> tuple[Path, Path]:
    return cases / "hlg.mov", cases / "sdr.mp4"


def test_the_phone_s_hlg_clip_looks_like_its_sdr_twin(hlg_and_sdr: tuple[Path, Path]) -> None:
    hlg, sdr = (np.stack(list(open_clip(path, LIMITS).frames())).astype(float) for path in hlg_and_sdr)
    assert np.abs(hlg.mean(axis=(0, 1, 2)) - sdr.mean(axis=(0, 1, 2))).max() < 4
    assert np.abs(hlg - sdr).mean() < 5


def test_profiles_of_pictures_are_applied(cases: Path) -> None:
    """`p3.jpg` holds, in Display P3, the colours that `repaired.jpg` holds as they are (and calls Display P3 too)."""
    shown = read_image(cases / "p3.jpg", LIMITS).mean(axis=(0, 1))
    twin = read_image(cases / "repaired.jpg", LIMITS).mean(axis=(0, 1))
    assert abs(shown.mean() - twin.mean()) < 2
