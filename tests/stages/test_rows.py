"""Rows survive the trip through Ray Data's batches."""

from __future__ import annotations

import numpy as np
import pytest

from lp_ray.contract.failure import Failure
from lp_ray.plan.work import DrivingRef, PairWork, SourceRef
from lp_ray.stages.rows import AnimatedChunk, ClipFacts, SpanRow, StagedMotion

WORK = PairWork(
    "id",
    SourceRef("k", "file:///照片/a 1.jpg", "0", (0.0, 1.0, 2.0, 3.5), "human"),
    DrivingRef("d", "file:///{x},y.mp4", "large-small", None, 2.5),
    "t",
    "",
    {"crf": 18, "paste_back": True},
    30000,
    1001,
    33,
    32,
    "video",
)


def test_a_row_comes_back_equal() -> None:
    row = SpanRow(WORK, 0, 32)
    assert list(SpanRow.from_batch(row.to_batch())) == [row]


def test_absent_parts_stay_absent() -> None:
    row = StagedMotion("t", 3, None, 1.5, Failure("track", "NoFaceError", "no face 😀"))
    assert list(StagedMotion.from_batch(row.to_batch())) == [row]
    whole = StagedMotion("t", 3, ClipFacts(25, 1, 10, 1, (3, 4), (640, 480), (1.0, 0.0, 2.5, 0.0, 1.0, 3.0)), 1.5, None)
    assert list(StagedMotion.from_batch(whole.to_batch())) == [whole]


def test_chunks_of_different_lengths_share_a_batch() -> None:
    rows = [
        AnimatedChunk(WORK, i, np.full((1, n, 4, 4, 3), i, np.uint8), np.eye(2, 3)[None], None, 0.0, 0.0, None)
        for i, n in enumerate((2, 1))
    ]
    batches = [row.to_batch() for row in rows]
    frames = np.empty(2, object)
    frames[:] = [row.frames for row in rows]
    merged = {name: np.concatenate([b[name] for b in batches]) for name in batches[0] if name != "frames"}
    back = list(AnimatedChunk.from_batch({**merged, "frames": frames}))
    assert [chunk.n_frames for chunk in back] == [2, 1]
    assert [int(chunk.frames.max()) for chunk in back] == [0, 1]


def test_a_missing_column_is_named() -> None:
    batch = SpanRow(WORK, 0, 32).to_batch()
    del batch["start"]
    with pytest.raises(KeyError, match="start"):
        list(SpanRow.from_batch(batch))
