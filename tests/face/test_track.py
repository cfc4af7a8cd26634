"""Following a face through clips: real ones, and real frames put together to clips with gaps and two people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.base.errors import NoFaceError, TooManyMissingFacesError
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import Face
from lp_ray.face.track import TrackedFrame, check_missing, describe_ranges, fill_gaps, track_clip

ClipReader = Callable[[str, float], list[Image]]


@dataclass
class CountingLandmarker:
    """The real landmarker, with a count of what was asked of it."""

    inner: MediaPipeLandmarker
    detections: list[int] = field(default_factory=list)
    follows: int = 0

    name = MediaPipeLandmarker.name
    digest = MediaPipeLandmarker.digest
    n_points = MediaPipeLandmarker.n_points

    def detect(self, image: Image) -> list[Face]:
        found = self.inner.detect(image)
        self.detections.append(len(found))
        return found

    def detect_in_box(self, image: Image, box: tuple[float, float, float, float]) -> Face | None:
        return self.inner.detect_in_box(image, box)

    def follow(self, image: Image, previous: Face) -> Face | None:
        self.follows += 1
        return self.inner.follow(image, previous)


def _nose(frame: TrackedFrame) -> np.ndarray:
    return frame.points[1, :2]


@pytest.mark.parametrize("name", ["d0", "d6"])
def test_every_frame_of_a_real_clip(landmarker: MediaPipeLandmarker, clip: ClipReader, name: str) -> None:
    """Three seconds: found in every frame, one detection, no jumps, and right at the end."""
    counting = CountingLandmarker(landmarker)
    frames = clip(name, 3)
    tracked = list(track_clip(frames, counting, "large-small"))
    assert len(tracked) == len(frames) > 70
    assert all(frame.found and frame.points.shape == (478, 3) for frame in tracked)
    assert len(counting.detections) == 1
    size = np.ptp(tracked[0].points[:, :2], axis=0).max()
    noses = np.array([_nose(frame) for frame in tracked])
    assert np.linalg.norm(np.diff(noses, axis=0), axis=1).max() < 0.2 * size
    (last,) = landmarker.detect(frames[-1])
    assert np.linalg.norm((last.points - tracked[-1].points)[:, :2], axis=1).mean() < 0.01 * size


def test_gaps_are_held_and_named(landmarker: MediaPipeLandmarker, portrait: Callable[[str], Image]) -> None:
    """Frames before the first face get its points; later gaps get the last points before the gap."""
    face = portrait("s9")
    shifted = np.roll(face, 60, axis=1)
    blank = np.full_like(face, 127)
    missing: list[int] = []
    clip = [blank, blank, face, blank, shifted, blank]
    held = list(fill_gaps(track_clip(clip, landmarker, "large-small"), missing))
    assert missing == [0, 1, 3, 5]
    assert [frame.found for frame in held] == [False, False, True, False, True, False]
    for i, j in ((0, 2), (1, 2), (3, 2), (5, 4)):
        np.testing.assert_array_equal(held[i].points, held[j].points)
    assert _nose(held[4]) - _nose(held[2]) == pytest.approx((60, 0), abs=3)


def test_a_lost_frame_has_no_points(landmarker: MediaPipeLandmarker) -> None:
    (frame,) = track_clip([np.zeros((64, 64, 3), np.uint8)], landmarker, "large-small")
    assert not frame.found
    assert frame.points.shape == (0, 3)


@pytest.mark.parametrize(("index", "nose"), [(0, 120), (3, 790)])
def test_the_same_person_after_a_gap(
    landmarker: MediaPipeLandmarker, group_photo: Image, index: int, nose: float
) -> None:
    """When the face comes back a little further right, it is the nearest that counts, not the rule."""
    clip = [group_photo, np.full_like(group_photo, 127), np.roll(group_photo, 40, axis=1)]
    before, gap, after = track_clip(clip, landmarker, index)
    assert before.found and not gap.found and after.found
    assert _nose(before)[0] == pytest.approx(nose, abs=30)
    assert _nose(after)[0] == pytest.approx(_nose(before)[0] + 40, abs=5)


def test_after_a_long_gap_the_rule_decides_anew(landmarker: MediaPipeLandmarker, group_photo: Image) -> None:
    """The rightmost person of the photo enters only after the gap: taken when the first one is forgotten."""
    blank = np.full_like(group_photo, 127)
    without = np.concatenate([group_photo[:, :1100], blank[:, 1100:]], 1)
    clip = [without, blank, blank, group_photo]
    for max_gap, nose in ((1, 1180), (2, 935)):
        first, *_, last = track_clip(clip, landmarker, "right-left", max_gap=max_gap)
        assert _nose(first)[0] == pytest.approx(935, abs=30)
        assert _nose(last)[0] == pytest.approx(nose, abs=30)


def test_a_person_not_there_yet_is_waited_for(landmarker: MediaPipeLandmarker, group_photo: Image) -> None:
    frames = track_clip([group_photo[:, :220], group_photo], landmarker, 1)
    assert [frame.found for frame in frames] == [False, True]


def test_frames_are_taken_one_by_one(landmarker: MediaPipeLandmarker, portrait: Callable[[str], Image]) -> None:
    """Flat memory: a frame is answered before the next is asked for, even while the first face is awaited."""
    asked = 0

    def frames() -> Iterator[Image]:
        nonlocal asked
        for image in (np.zeros((64, 64, 3), np.uint8), portrait("s12"), portrait("s12")):
            asked += 1
            yield image

    for answered, _ in enumerate(track_clip(frames(), landmarker, "large-small"), 1):
        assert asked == answered


def test_a_clip_without_any_face_fails(landmarker: MediaPipeLandmarker) -> None:
    missing: list[int] = []
    blank = np.full((64, 64, 3), 90, np.uint8)
    with pytest.raises(NoFaceError, match="any of the clip's 3 frames"):
        list(fill_gaps(track_clip([blank] * 3, landmarker, "large-small"), missing))
    with pytest.raises(NoFaceError, match="0 frames"):
        list(fill_gaps(iter(()), missing))


def test_too_many_missing_frames_are_named() -> None:
    missing = [3, 4, 5, 6, 7, 12]
    check_missing(missing, 30, 0.2)
    with pytest.raises(TooManyMissingFacesError, match=r"no face in 6 of 29 frames, 20% allowed .*3-7, 12\); cut"):
        check_missing(missing, 29, 0.2)
    with pytest.raises(NoFaceError, match="any of the clip's 6 frames"):
        check_missing(range(6), 6, 1.0)
    check_missing([], 0, 0.0)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([4], "4"),
        ([4, 5], "4-5"),
        ([0, 2, 3, 9], "0, 2-3, 9"),
        (range(0, 60, 2), "36, 38 and 10 more ranges"),
    ],
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert describe_ranges(numbers).endswith(text)
    assert bool(text) == bool(describe_ranges(numbers))
