"""Clips of every container and codec that is common, broken in their bytes and boxes; playlists under films' names."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.fuzz.kinds import Case, Samples
from benchmarks.fuzz.mutations import LARGE, ORDERS, SIZES, Dice, mutate
from benchmarks.fuzz.names import name
from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg
from lp_ray.media.clip import open_footage
from lp_ray.media.encode import encode_segment
from lp_ray.media.join import AudioCut, join_segments
from lp_ray.media.repeat import Repeat

_CODED: dict[str, tuple[str, ...]] = {
    "h264.mp4": ("-c:v", "libx264", "-bf", "2", "-g", "6", "-c:a", "aac"),
    "fragments.mp4": ("-c:v", "libx264", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    "mpeg4.mov": ("-c:v", "mpeg4", "-c:a", "pcm_s16le"),
    "prores.mov": ("-c:v", "prores", "-c:a", "pcm_s16le"),
    "ffv1.mkv": ("-c:v", "ffv1", "-c:a", "libvorbis"),
    "h264.mkv": ("-c:v", "libx264", "-c:a", "aac"),
    "vp8.webm": ("-c:v", "libvpx", "-cpu-used", "8", "-c:a", "libopus"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus"),
    "av1.mp4": ("-c:v", "libaom-av1", "-cpu-used", "8", "-c:a", "aac"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-c:a", "mp2"),
    "h264.ts": ("-c:v", "libx264", "-c:a", "aac"),
    "camcorder.mts": ("-c:v", "libx264", "-c:a", "aac", "-f", "mpegts", "-mpegts_m2ts_mode", "1"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "bare.m2v": ("-c:v", "mpeg2video", "-an", "-f", "mpeg2video"),
    "flash.flv": ("-c:v", "flv", "-c:a", "aac"),
    "windows.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "theora.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "moving.gif": ("-c:v", "gif", "-an"),
    "moving.apng": ("-c:v", "apng", "-an", "-f", "apng"),
    "moving.webp": ("-c:v", "libwebp_anim", "-an"),
    "moving.avif": ("-c:v", "libaom-av1", "-cpu-used", "8", "-an"),
}
_FRAMES = 12
_SCRIPTS = (
    *(
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
    ),
    *(
        b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/a'\n",
        b"v=0\nc=IN IP4 127.0.0.1\nm=video 4 RTP/AVP 96\n",
        b"[playlist]\nFile1=/etc/passwd\n",
    ),
    *(
        b"<?xml version='1.0'?><MPD><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>",
        b"#EXTM3U\nconcat:/etc/passwd|/etc/hosts\n",
    ),
    *(
        b";FFMETADATA1\ntitle=x\n",
        b"RIFF\xff\xff\xff\xffAVI LIST",
        b"\0\0\0\x18ftypisom" + bytes(400),
        b"OggS" + bytes(100),
    ),
    *(
        b"\x1a\x45\xdf\xa3\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\0\1\xba" * 500,
        b"\x47" + bytes(187) * 40,
        b"FLV\1\5\0\0\0\t" + b"\xff" * 300,
    ),
)
_BOXES = (
    b"stts",
    b"ctts",
    b"stsc",
    b"stsz",
    b"stco",
    b"stss",
    b"elst",
    b"tkhd",
    b"mvhd",
    b"mdhd",
    b"stsd",
    b"avcC",
    b"trun",
    b"tfhd",
    b"trex",
    b"moov",
    b"trak",
    b"mdat",
    b"ftyp",
    b"hdlr",
    b"dref",
    b"avih",
    b"strh",
    b"strf",
    b"idx1",
    b"movi",
)


class Clips:
    """Drivings and source videos: every frame is decoded, and the sound is joined to a result."""

    def make_samples(self, folder: Path) -> None:
        inputs = ["-f", "lavfi", "-i", f"testsrc2=size=64x48:rate=25:duration={_FRAMES / 25}"]
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={_FRAMES / 25}"]
        exact = ["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]
        for where, codecs in _CODED.items():
            pixels = [] if where.endswith(("gif", "apng", "mov")) else ["-pix_fmt", "yuv420p"]
            args = [*inputs, *codecs, *pixels, *exact, "-y", ffmpeg.file_url(folder / where)]
            ffmpeg.run(args, 120.0, where)

    def make(self, dice: Dice, samples: Samples) -> Case:
        chosen = dice.of(list(samples))
        data, path = samples[chosen], name(dice, Path(chosen).suffix if dice.chance(0.9) else ".mp4")
        if dice.chance(0.03):
            return Case({path: data}, path, f"{chosen} as it is", sound=True)
        if dice.chance(0.05):
            data, how = dice.of(_SCRIPTS), "a script"
        elif (boxes := [box for box in _BOXES if box in data]) and dice.chance(0.5):
            data, how = _box(data, dice.of(boxes), dice)
        else:
            data, how = mutate(data, dice, list(samples.values()))
        about = {"start_s": dice.of(("", "", "", "0.1", "0.4", "1e9")), "end_s": dice.of(("", "", "", "0.2", "1e300"))}
        return Case({path: data}, path, f"{chosen}: {how}", about=about)

    def read(self, path: Path, case: Case, output: Path) -> None:
        """As tracking does, from first to last, then a range again, then as its sound is joined to a result."""
        limits = Limits()
        start_s, end_s = (float(text) if (text := case.about.get(which)) else None for which in ("start_s", "end_s"))
        clip = open_footage(path, limits, start_s, end_s)
        given = sum(1 for _ in clip.frames())
        if given != clip.n_frames:
            raise AssertionError(f"{given} frames of {clip.n_frames}")
        if clip.n_frames > 2:
            for _ in clip.frames(clip.n_frames // 2, 1):
                pass
        if clip.has_audio:
            repeat = Repeat(2) if len(case.how) % 3 == 0 else None
            segment, n = _segment(output), 5
            audio = AudioCut(path, start_s or 0.0, float(clip.n_frames / clip.fps), repeat)
            join_segments([segment], output / "joined.mp4", Fraction(25), n, audio)


def _segment(folder: Path) -> Path:
    path = folder / "segment.mp4"
    encode_segment(path, np.full((5, 48, 64, 3), 90, np.uint8), Fraction(25), 30, "ultrafast")
    return path


def _box(data: bytes, kind: bytes, dice: Dice) -> tuple[bytes, str]:
    """Change a box of an MP4, or a chunk of an AVI: its size, a number in it, its name; or set it in itself."""
    places = [at for at in range(len(data) - 4) if data.startswith(kind, at)]
    at = dice.of(places)
    how = dice.of(("size", "number", "number", "number", "name", "in itself"))
    if how == "size":
        size = struct.pack(">I", dice.of(SIZES)) if dice.chance(0.7) else struct.pack("<I", dice.of(SIZES))
        where = at - 4 if at >= 4 and not data.startswith(b"RIFF") else at + 4
        return data[:where] + size + data[where + 4 :], f"{kind.decode()}, {how}"
    if how == "number":
        width = dice.of((1, 2, 4, 8))
        where = at + 4 + dice.below(64)
        value = dice.of(SIZES + LARGE) & ((1 << 8 * width) - 1)
        return data[:where] + value.to_bytes(width, dice.of(ORDERS)) + data[where + width :], f"{kind.decode()}, {how}"
    if how == "name":
        return data[:at] + dice.of((*_BOXES, b"free", b"uuid", dice.bytes(4))) + data[
            at + 4 :
        ], f"{kind.decode()}, {how}"
    start = max(0, at - 4)
    nested = b"".join(struct.pack(">I", 1 << 20) + kind for _ in range(dice.of((10, 300))))
    return data[:start] + nested + data[start:], f"{kind.decode()}, {how}"
