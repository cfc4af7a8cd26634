"""ffmpeg's log tells a file's streams, whatever text strangers wrote into the file's metadata."""

from __future__ import annotations

from lp_ray.media.banner import AudioTrack, Colours, default_track, read_audio_tracks, read_banner

LOG = """[info] Input #0, matroska,webm, from 'film.mkv':
[info]   Metadata:
[info]     title           : [info]   Stream #0:0: Audio: fake
[info]   Duration: 00:01:02.50, start: -0.021000, bitrate: 570 kb/s
[info]   Stream #0:0(eng): Video: hevc (Main 10), yuv420p10le(tv, bt2020nc/bt2020/arib-std-b67, top first), 1920x1080 \
[SAR 1:1 DAR 16:9], 29.97 fps, 29.97 tbr, 1k tbn (default)
[info]     Side data:
[info]       Display Matrix: rotation of -90.00 degrees
[info]       DOVI configuration record: version: 1.0, profile: 8, level: 4, compatibility id: 4, compression: 0
[info]   Stream #0:1(de\x07u): Audio: aac (LC), 44100 Hz, mono, fltp
[info]   Stream #0:2(fra): Audio: ac3, 48000 Hz, mono, fltp (default)
[info] Stream mapping:
[info]   Stream #0:0 -> #0:0 (copy)
[info]   Stream #0:0: Audio: of the output
"""


def test_what_a_log_says_of_the_chosen_stream_and_the_sound_beside_it() -> None:
    banner = read_banner(LOG)
    assert (banner.stream, banner.codec, banner.fps) == (0, "hevc", 29.97)
    assert banner.colours == Colours("bt2020nc", "bt2020", "arib-std-b67")
    assert (banner.interlaced, banner.rotation, banner.has_alpha, banner.dolby_only) == (True, 270, False, False)
    assert (banner.duration_s, banner.start_s) == (62.5, -0.021)
    assert banner.audio_tracks == (AudioTrack(0, "", False), AudioTrack(1, "fra", True))
    assert default_track(banner.audio_tracks) == 1


def test_dolby_vision_with_no_common_base() -> None:
    assert read_banner(LOG.replace("compatibility id: 4", "compatibility id: 0")).dolby_only


def test_a_log_that_says_nothing_is_read_as_nothing() -> None:
    banner = read_banner("")
    assert (banner.codec, banner.colours, banner.audio_tracks, banner.fps) == ("unknown", Colours(), (), None)
    assert default_track(read_audio_tracks("")) is None
