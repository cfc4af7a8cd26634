"""Rows survive the trip through Ray Data's batches, whatever they hold."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.contract.failure import Failure
from lp_ray.contract.options import PairOptions
from lp_ray.contract.rows import Trace
from lp_ray.plan.work import SourceFacts, SpanRow
from lp_ray.stages.rows import AnimatedChunk, ClipFacts, SourcedSpan, StagedMotion, StagedSegment, TrackedChunk
from tests.stages.work import SOURCE, work

FAILURE = Failure("track", "NoFaceError", "no face 😀")
WORK = work(
    source=replace(SOURCE, uri="file:///照片/a 1.jpg", box=(0.0, 1.0, 2.0, 3.5)),
    options=PairOptions(crf=20, driving_smooth_observation_variance=1e-9),
    fps_numerator=30000,
    fps_denominator=1001,
)
PLACED = np.eye(2, 3)[None, None], np.ones((1, 1), np.bool_)
"""Where the one face of a picture is, and that it is there."""


def test_a_row_comes_back_equal_with_its_work_typed() -> None:
    row = SpanRow(WORK, 0, 2, trace=Trace({"source": 0.25}))
    (back,) = SpanRow.from_batch(row.to_batch())
    assert back == row
    assert back.work.options == WORK.options and back.work.fps == Fraction(30000, 1001)


def test_absent_parts_stay_absent() -> None:
    row = StagedMotion("t", 3, None, trace=Trace({"track": 1.5}, FAILURE))
    assert list(StagedMotion.from_batch(row.to_batch())) == [row]
    whole = StagedMotion("t", 3, ClipFacts(25, 1, 10, 1, (3, 4), (640, 480), (1.0, 0.0, 2.5, 0.0, 1.0, 3.0)))
    assert list(StagedMotion.from_batch(whole.to_batch())) == [whole]


def test_chunks_of_different_lengths_share_a_batch_with_their_frames_facts() -> None:
    rows = [
        AnimatedChunk(WORK, i, None, {"pose": np.full((1, n, 3), i, np.float32)}, _frames(n, i), *PLACED)
        for i, n in enumerate((2, 1))
    ]
    batches = [row.to_batch() for row in rows]
    ragged = {}
    for name in ("frames", "frame_facts"):
        ragged[name] = np.empty(2, object)
        ragged[name][:] = [batch[name][0] for batch in batches]
    merged = {name: np.concatenate([b[name] for b in batches]) for name in batches[0] if name not in ragged}
    back = list(AnimatedChunk.from_batch({**merged, **ragged}))
    assert [chunk.n_frames for chunk in back] == [2, 1]
    assert [int(chunk.frames.max()) for chunk in back] == [0, 1]
    assert [chunk.frame_facts["pose"].tolist() for chunk in back] == [[[[0] * 3, [0] * 3]], [[[1] * 3]]]


def _frames(n: int, value: int) -> NDArray[np.uint8]:
    return np.full((1, n, 4, 4, 3), value, np.uint8)


def test_a_missing_column_is_named() -> None:
    batch = SpanRow(WORK, 0, 32).to_batch()
    del batch["start"]
    with pytest.raises(KeyError, match="SpanRow has no column 'start'"):
        list(SpanRow.from_batch(batch))


def test_the_row_that_follows_a_failed_one_keeps_what_both_name_and_carries_nothing() -> None:
    """Its piece's number, too: the coordinator must know whose failure it is."""
    trace = Trace({"source": 1.0}, FAILURE)
    span = SpanRow(WORK, 4, 6)
    sourced = SourcedSpan.without_content(span, trace)
    assert (sourced.work, sourced.start, sourced.stop, sourced.facts, sourced.trace) == (WORK, 4, 6, None, trace)
    assert sourced.crops.shape == (0, 0, 0, 0, 3) and sourced.crops.dtype == np.uint8
    chunk = AnimatedChunk.without_content(replace(sourced, facts=SourceFacts(3, 4)), trace)
    assert chunk.index == 2 and chunk.facts == SourceFacts(3, 4) and chunk.frames.shape == (0, 0, 512, 512, 3)
    segment = StagedSegment.without_content(chunk, trace)
    assert (segment.key, segment.index, segment.n_frames) == ("p", 2, 0)
    (back,) = StagedSegment.from_batch(segment.to_batch())
    assert back == segment
    tracked = TrackedChunk.without_content(StagedMotion("t", 0, None), trace)
    assert tracked.template_key == "t" and tracked.points.dtype == np.float64
