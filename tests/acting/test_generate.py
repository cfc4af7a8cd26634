"""Natural performances: seeded, in range, distributed like real clips, and seen again when they are shown."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lp_ray.acting import perform
from lp_ray.acting.fitted import BLINKS_PER_MINUTE, HEAD, SYLLABLES_PER_SECOND
from lp_ray.acting.generate import ONSET_S, Ranges, jaw_of_sound, natural
from lp_ray.acting.shown import SHOWN, curves_of
from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import BY_NAME
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.pose import angles_of
from lp_ray.motion.performance_io import read_performance, write_parquet

FPS = Fraction(30)
TALKS = replace(Ranges(), speaking=1.0)


@pytest.fixture(scope="module")
def many() -> list[dict[str, NDArray[np.float64]]]:
    """Three hundred performances of 20 seconds."""
    return [natural(7, number, 20, FPS, TALKS).sample() for number in range(300)]


def test_numbers_and_seeds_make_performances_and_nothing_else_does() -> None:
    one, again = (natural(7, 3, 5, FPS).sample() for _ in range(2))
    for name, curve in one.items():
        np.testing.assert_array_equal(curve, again[name])
        if name in HEAD:  # others may keep still for five seconds
            assert not np.array_equal(curve, natural(8, 3, 5, FPS).sample()[name])
            assert not np.array_equal(curve, natural(7, 4, 5, FPS).sample()[name])


@given(st.integers(0, 10**6), st.floats(0.5, 12))
@settings(max_examples=25)
def test_the_same_second_looks_the_same_at_any_rate_and_length(number: int, seconds: float) -> None:
    short, fine = natural(1, number, seconds, Fraction(25)), natural(1, number, 14, Fraction(50))
    for name, curve in short.sample().items():
        np.testing.assert_allclose(curve, fine.sample()[name][: 2 * len(short) : 2], atol=1e-9, err_msg=name)


def test_all_is_in_range_and_frame_0_is_neutral(many: list[dict[str, NDArray[np.float64]]]) -> None:
    ranges = Ranges()
    for curves in many:
        for name, curve in curves.items():
            assert np.abs(curve).max() <= getattr(ranges, name) + 1e-9, name
            assert not curve[: int(ONSET_S * FPS)].any(), name
            assert BY_NAME[name].low <= curve.min() and curve.max() <= BY_NAME[name].high


def test_heads_move_as_much_as_in_the_clips_and_as_fast(many: list[dict[str, NDArray[np.float64]]]) -> None:
    """The median spread is the clips', the middle 80 % cover what differs between them, and the spectra agree."""
    for name, spectrum in HEAD.items():
        tracks = np.array([curves[name][30:] for curves in many])
        spreads = tracks.std(1)
        assert np.median(spreads) == pytest.approx(spectrum.median, rel=0.25)
        low, high = np.quantile(spreads, [0.1, 0.9])
        assert high / low > np.exp(spectrum.sigma)
        power = (np.abs(np.fft.rfft((tracks - tracks.mean(1, keepdims=True)) / spreads[:, None])) ** 2).mean(0)
        frequencies = np.fft.rfftfreq(tracks.shape[1], 1 / 30)
        for slow, fast in ((0.5, 1.5), (1.0, 3.0)):
            ours = power[np.abs(frequencies - slow) < 0.2].mean() / power[np.abs(frequencies - fast) < 0.2].mean()
            fit = ((1 + (fast / spectrum.corner) ** 2) / (1 + (slow / spectrum.corner) ** 2)) ** (spectrum.slope / 2)
            assert ours == pytest.approx(fit, rel=0.4), (name, slow, fast)


def test_people_blink_as_often_as_people_do(many: list[dict[str, NDArray[np.float64]]]) -> None:
    """About 20 a minute, each shut for a tenth of a second or two, with long intervals now and then."""
    counts, shut = [], []
    for curves in many:
        edges = np.flatnonzero(np.diff((curves["blink"] > 0.5).astype(int)))
        counts.append((np.diff((curves["blink"] > 0.35).astype(int)) > 0).sum())
        shut += (edges[1::2] - edges[: 2 * (len(edges) // 2) : 2]).tolist()
    per_minute = 3 * np.array(counts)
    assert BLINKS_PER_MINUTE[0] < per_minute.mean() < BLINKS_PER_MINUTE[1]
    assert 0.1 < np.median(shut) / 30 < 0.35


def test_speech_has_syllables_and_pauses(many: list[dict[str, NDArray[np.float64]]]) -> None:
    """3 to 7 syllables a second while there is speech, pauses in between; a share of performances keeps silent."""
    rates, pauses = [], []
    for curves in many:
        jaw = curves["lips_open"]
        voiced = jaw > 0
        peaks = ((jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:])).sum()
        rates.append(peaks / (voiced.sum() / 30))
        pauses.append(1 - voiced.mean())
    assert SYLLABLES_PER_SECOND[0] * 0.8 < min(rates) and max(rates) < SYLLABLES_PER_SECOND[1] * 1.2
    assert 0.1 < np.mean(pauses) < 0.45
    silent = [not natural(7, number, 2, FPS).sample()["lips_open"].any() for number in range(200)]
    assert 0.1 < np.mean(silent) < 0.32


def test_ranges_are_kept_and_a_range_of_0_keeps_still() -> None:
    ranges = Ranges(head_yaw=4, smile=0.3, gaze_x=0, gaze_y=0, brow=0, syllables=(4, 4), speaking=1)
    for number in range(20):
        curves = natural(2, number, 10, FPS, ranges).sample()
        assert not {"gaze_x", "gaze_y", "brow"} & curves.keys()
        assert np.abs(curves["head_yaw"]).max() < 4 and curves["smile"].max() <= 0.3


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"head_yaw": 26}, "head_yaw=26 must be between 0 and 25"),
        ({"smile": -0.1}, "smile=-0.1 must be between 0 and 1.3"),
        ({"lips_open": 100}, "lips_open=100 must be between 0 and 90"),
        ({"syllables": (7, 3)}, "syllables=7 to 3"),
        ({"blinks": (0, 90)}, "blinks=0 to 90"),
        ({"speaking": 1.5}, "speaking=1.5"),
    ],
)
def test_ranges_that_no_control_has_are_refused(values: dict[str, object], says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        Ranges(**values)


def test_impossible_performances_are_refused() -> None:
    with pytest.raises(RefusedError, match="has no frame"):
        natural(1, 1, 0.0, FPS)
    with pytest.raises(RefusedError, match="both must be 0 or more"):
        natural(-1, 1, 1.0, FPS)
    still = dict.fromkeys(("head_yaw", "head_pitch", "head_roll", "lips_open", "blink", "smile", "brow"), 0.0)
    with pytest.raises(RefusedError, match="every control is 0"):
        natural(1, 1, 1.0, FPS, Ranges(**still, gaze_x=0, gaze_y=0))


def test_a_performance_survives_its_table() -> None:
    performance = natural(3, 1, 4, Fraction(30000, 1001))
    again = read_performance(write_parquet(performance))
    assert again.n_frames == len(performance) and again.fps == performance.fps
    for name, curve in performance.sample().items():
        np.testing.assert_array_equal(again.sample()[name], curve)


def test_the_jaw_follows_loudness() -> None:
    """Shut in silence, open where it is loud, and within a few frames of it; never past its range."""
    loud = np.zeros(90)
    loud[30:60] = 0.95
    jaw = jaw_of_sound(loud, FPS, 80).sample()["lips_open"]
    assert not jaw[:30].any() and jaw[35:60].min() > 70 and jaw.max() <= 80
    assert jaw[66:].max() < 5
    quiet = jaw_of_sound(np.full(90, 0.3), FPS).sample()["lips_open"]
    assert not quiet.any()
    for wrong in (lambda: jaw_of_sound(loud[:0], FPS), lambda: jaw_of_sound(loud, FPS, 121)):
        with pytest.raises(RefusedError, match="a jaw of"):
            wrong()


def test_what_a_warped_portrait_cannot_show_is_refused_by_name() -> None:
    with pytest.raises(RefusedError, match="actor 1: gaze_x, gaze_y cannot be shown"):
        curves_of(natural(1, 1, 1, FPS), "actor 1")


def test_natural_performances_are_seen_again(astronaut: PreparedSource, landmarker: MediaPipeLandmarker) -> None:
    """Shown on a portrait and tracked again, what was asked for and what is measured correlate: jaw and blinks, and
    angles that move by more than the landmarker's own unrest (spread over 2 degrees)."""
    ranges = Ranges(gaze_x=0, gaze_y=0, smile=0, brow=0, speaking=1, head_yaw=20, head_pitch=12, head_roll=12)
    judged = set()
    for number in (2, 4):
        performance = natural(5, number, 8, Fraction(25, 2), ranges)
        assert set(performance.curves) <= SHOWN.keys()
        asked = curves_of(performance, "natural")
        points, face = [], None
        for frame in perform(astronaut, asked):
            face = landmarker.detect(frame)[0] if face is None else landmarker.follow(frame, face)
            assert face is not None
            points.append(face.points)
        motion = PreviewEngine().extract(None, np.array(points))
        pitch, yaw, roll = angles_of(motion["rotation"].astype(np.float64) @ motion["rotation"][0].T).T
        seen = {"yaw": yaw, "pitch": pitch, "roll": roll}
        seen |= {"jaw": motion["lip_ratio"][:, 0], "blink": -motion["eye_ratio"].mean(1)}
        for name, track in seen.items():
            curve = getattr(asked, name)
            if curve.std() > (2 if name in ("yaw", "pitch", "roll") else 0.1):
                judged.add(name)
                assert np.corrcoef(curve, track)[0, 1] > 0.9, (number, name)
    assert judged == {"yaw", "pitch", "roll", "jaw", "blink"}
