"""Clips of every codec that the carried ffmpeg can encode: each frame carries its number, and every range is right."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from lp_ray.media import ffmpeg

from . import independent
from .ranges import check_ranges, make_coded

N = 24
NUMBERS = [k * 37 % 1000 for k in range(N)]
FPS = Fraction(25)

_GOP = ("-g", "10", "-q:v", "3")
_B = ("-g", "10", "-bf", "2", "-q:v", "3")
# Encoder -> containers, options of ffmpeg.
CODECS: dict[str, tuple[str, tuple[str, ...]]] = {
    "amv": ("mov avi", ()),
    "apng": ("apng", ()),
    "asv1": ("avi", ()),
    "asv2": ("avi", ()),
    "avrp": ("mov", ()),
    "avui": ("mov", ("-s", "720x486", "-strict", "-2")),
    "cfhd": ("mov avi", ()),
    "cinepak": ("mov avi", ()),
    "cljr": ("mov", ()),
    "dnxhd": ("mov mkv avi", ("-profile:v", "dnxhr_hq", "-s", "256x144", "-pix_fmt", "yuv422p")),
    "dvvideo": ("avi mov", ("-s", "720x576", "-pix_fmt", "yuv420p")),
    "dxv": ("mov", ()),
    "ffv1": ("mkv avi", ("-g", "10")),
    "ffvhuff": ("avi", ()),
    "flashsv": ("flv", ()),
    "flashsv2": ("flv", ()),
    "flv": ("flv avi", _GOP),
    "gif": ("gif", ()),
    "h261": ("avi mov", _GOP),
    "h263": ("avi mov", _GOP),
    "h263p": ("mkv", _GOP),
    "hap": ("mov", ()),
    "huffyuv": ("avi", ()),
    "jpeg2000": ("mov", ()),
    "libaom-av1": ("mp4 webm avif", ("-g", "10", "-cpu-used", "8", "-lag-in-frames", "10")),
    "libkvazaar": ("mp4", ("-g", "10")),
    "liboapv": ("mp4", ("-s", "352x288")),
    "libopenh264": ("mp4 ts mpg", ("-g", "10", "-b:v", "1M")),
    "libopenjpeg": ("mkv", ()),
    "librav1e": ("mkv", ("-g", "10", "-speed", "10")),
    "libsvtav1": ("mkv mp4", ("-g", "10", "-preset", "12")),
    "libtheora": ("ogv mkv", ("-g", "10", "-q:v", "8")),
    "libvpx": ("webm mkv avi", ("-g", "10", "-b:v", "1M", "-auto-alt-ref", "1", "-lag-in-frames", "10")),
    "libvpx-vp9": ("webm mp4", ("-g", "10", "-b:v", "1M", "-cpu-used", "8", "-lag-in-frames", "10")),
    "libvvenc": ("mp4 ts", ("-preset", "faster", "-g", "16")),
    "libwebp_anim": ("webp", ()),
    "libx264": ("mp4 mov mkv avi ts mts mpg flv wmv", ("-g", "10", "-bf", "2")),
    "libx264rgb": ("mkv", ("-g", "10", "-bf", "2")),
    "libx265": ("mp4 mkv ts", ("-g", "10", "-x265-params", "log-level=none")),
    "libxvid": ("avi", _GOP),
    "ljpeg": ("avi", ()),
    "magicyuv": ("avi", ()),
    "mjpeg": ("avi mov mkv", ("-q:v", "3")),
    "mpeg1video": ("mpg avi ts", _B),
    "mpeg2video": ("mpg ts avi mkv wmv", _B),
    "mpeg4": ("mp4 avi mkv ts", _B),
    "msmpeg4": ("avi wmv", _GOP),
    "msmpeg4v2": ("avi", _GOP),
    "msrle": ("avi", ()),
    "msvideo1": ("avi", ()),
    "png": ("mov avi", ()),
    "prores": ("mov", ()),
    "prores_aw": ("mov", ()),
    "prores_ks": ("mov mkv", ()),
    "qtrle": ("mov", ()),
    "r10k": ("mov", ()),
    "r210": ("mov", ()),
    "rawvideo": ("avi mov", ()),
    "rpza": ("mov avi", ()),
    "snow": ("avi mkv", ("-strict", "-2", "-q:v", "3")),
    "speedhq": ("mov", ()),
    "svq1": ("mov", _GOP),
    "utvideo": ("avi", ()),
    "v210": ("mov", ()),
    "vc2": ("mov ts", ()),
    "wmv1": ("wmv avi", _GOP),
    "wmv2": ("wmv", _GOP),
    "y41p": ("avi", ()),
    "yuv4": ("mov", ()),
    "zlib": ("avi", ()),
    "zmbv": ("avi", ()),
}
# Encoders of what is no clip, or of none that is read here.
LEFT_OUT = {
    **dict.fromkeys(
        (
            "alias_pix",
            "bmp",
            "dpx",
            "exr",
            "fits",
            "hdr",
            "jpegls",
            "libjxl",
            "libjxl_anim",
            "libwebp",
            "pam",
            "pbm",
            "pcx",
            "pfm",
            "pgm",
            "pgmyuv",
            "phm",
            "ppm",
            "qoi",
            "sgi",
            "sunrast",
            "targa",
            "tiff",
            "vbn",
            "wbmp",
            "xbm",
            "xface",
            "xwd",
        ),
        "still pictures",
    ),
    **dict.fromkeys(("vnull", "wrapped_avframe"), "no codec"),
    **dict.fromkeys(
        ("a64multi", "a64multi5", "pdv", "roqvideo", "rv10", "rv20"), "machines' or players' own containers"
    ),
    "bitpacked": "ffmpeg reads none of the files it writes",
    "libxavs2": "its time stamps are wrong, PyAV has no decoder",
    "smc": "few colours: cards do not survive it",
}
_HARDWARE = ("_nvenc", "_qsv", "_vaapi", "_amf", "_v4l2m2m", "_vulkan", "_mf", "_omx", "_cuvid")
CLIPS = [(name, container) for name, (containers, _) in CODECS.items() for container in containers.split()]


def test_no_encoder_is_forgotten() -> None:
    listed = subprocess.run(
        [ffmpeg.executable(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=True
    )
    videos = {line.split()[1] for line in listed.stdout.splitlines() if line.startswith(" V") and "=" not in line}
    forgotten = {name for name in videos if not name.endswith(_HARDWARE)} - CODECS.keys() - LEFT_OUT.keys()
    assert not forgotten


@pytest.mark.parametrize(("encoder", "container"), CLIPS, ids=[".".join(clip) for clip in CLIPS])
def test_every_range_of_every_codec(encoder: str, container: str, tmp_path: Path) -> None:
    """The whole pass shows each number once at the exact rate, as many as another reader finds; ranges are slices."""
    options = ["-c:v", encoder, *CODECS[encoder][1]]
    path = make_coded(tmp_path / f"clip.{container}", NUMBERS, options)
    clip = check_ranges(path, NUMBERS, seed=len(encoder + container))
    assert (clip.fps, clip.info.constant_rate) == (FPS, True)
    stated = None if container in ("webp", "avif", "apng") else independent.rate(path)
    assert stated in (FPS, None)
