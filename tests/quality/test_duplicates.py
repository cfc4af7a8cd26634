"""Near-duplicates: what was encoded again, scaled or brightened is the same picture, another person's is not."""

from __future__ import annotations

import cv2
import numpy as np
import skimage.data

from lp_ray.base.arrays import Image
from lp_ray.quality.duplicates import SAME_PICTURE, groups, picture_hash, same_people, same_pictures


def bits(one: Image, other: Image) -> int:
    return int(np.bitwise_count(picture_hash(one) ^ picture_hash(other)))


def test_what_keeps_the_picture_keeps_the_hash() -> None:
    picture = skimage.data.astronaut()
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])
    for same in (
        np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8),
        np.asarray(cv2.resize(picture, (201, 201), interpolation=cv2.INTER_AREA), np.uint8),
        np.clip(picture.astype(int) + 20, 0, 255).astype(np.uint8),
    ):
        assert bits(picture, same) <= SAME_PICTURE
    for other in (skimage.data.chelsea(), skimage.data.coffee(), np.ascontiguousarray(picture[:, ::-1])):
        assert bits(picture, other) > 3 * SAME_PICTURE


def test_groups_begin_with_their_first_input() -> None:
    hashes = np.array([[0], [2**63], [0b111], [2**64 - 1], [0b1]], np.uint64)
    assert sorted(same_pictures(hashes, 2)) == [(0, 1), (0, 4), (1, 4), (2, 4)]
    assert groups(5, list(same_pictures(hashes, 2))).tolist() == [0, 0, 0, 3, 0]
    assert groups(3, []).tolist() == [0, 1, 2]


def test_of_a_clip_the_median_frame_decides() -> None:
    other = 2**64 - 1
    clips = np.array([[0, 0, 0, 0, 0], [0, 0, 0, other, other], [0, other, other, other, other]], np.uint64)
    assert list(same_pictures(clips)) == [(0, 1), (1, 2)]


def test_people_are_compared_by_distance_and_nobody_is_like_nobody() -> None:
    faces = np.zeros((600, 128), np.float32)
    faces[:, 0] = np.arange(600)
    faces[599] = faces[3] + 0.01
    faces[[7, 8]] = np.nan
    assert list(same_people(faces, 0.5)) == [(3, 599)]
