"""Where a part of a source video is animated, stages know which frames, and engines no others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.contract.options import PairOptions
from lp_ray.engine.factory import EngineSpec, identify_engine
from lp_ray.engine.protocol import FRAME_SIZE, Frames, PairMotion, SourceCrops, Span
from lp_ray.motion.template import TemplateHeader, write_template
from lp_ray.plan.settings import Settings
from lp_ray.runtime.worker import Worker
from lp_ray.stages.animate import AnimatePairs
from lp_ray.stages.contract import Bench
from lp_ray.stages.media import TemplateCache, driving_frames
from lp_ray.stages.rows import AnimatedChunk, SourcedSpan
from tests.stages.work import SOURCE, work

N, PART = 10, (3, 4)


class Recorder:
    """An engine whose frames are the crops that they were made from. It keeps what it was told."""

    name, digest, needs_crops, source_size = "recorder", "d", False, FRAME_SIZE

    def __init__(self) -> None:
        self.motion: PairMotion | None = None
        self.spans: list[Span] = []

    def extract(self, crops: Any, points: Any) -> Any:
        raise AssertionError("templates are there already")

    def prepare(self, source: SourceCrops) -> SourceCrops:
        return source

    def direct(self, motion: PairMotion, options: PairOptions) -> None:
        self.motion = motion

    def animate(self, source: SourceCrops, direction: None, span: Span) -> Iterator[Frames]:
        self.spans.append(span)
        for start, stop in span.chunks():
            yield Frames(source.images[start - span.start : stop - span.start], {"at": np.arange(start, stop)})


@pytest.fixture
def pair(tmp_path: Path) -> Any:
    """A pair of ten frames of which four are animated; its templates lie in `tmp_path`."""
    for key, n in (("t", 20), ("s", N)):
        rows = np.arange(n, dtype=np.float32)[:, None]
        write_template(tmp_path / f"{key}.npz", TemplateHeader("recorder", "e", "l", 25, 1, n), [{"number": rows}])
    return work(source=replace(SOURCE, is_video=True), source_template="s", n_frames=N, chunk=2, part=PART)


def test_the_engine_is_given_the_part_as_if_it_were_the_pair(pair: Any, tmp_path: Path) -> None:
    """Its own frames of the source's motion, the driving from its beginning, spans that count from the part's start."""
    engine = Recorder()
    settings = Settings(f"file://{tmp_path}/out", f"file://{tmp_path}", EngineSpec("preview"))
    bench = Bench(settings, identify_engine(EngineSpec("preview")), create=lambda spec: engine)
    worker = Worker(AnimatePairs, bench)
    shown: list[int] = []
    for start in range(0, N, 2):
        crops = np.zeros((1, 2, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
        crops[0, :, 0, 0, 0] = (start, start + 1)
        placed = np.zeros((1, 2, 0, 3)), np.zeros((1, 2, 2, 3)), np.ones((1, 2), np.bool_)
        row = SourcedSpan(pair, start, start + 2, None, crops, *placed)
        (chunk,) = worker.rows(row)
        assert isinstance(chunk, AnimatedChunk) and chunk.trace.failure is None
        assert chunk.n_frames == 2 and chunk.to_crop.shape[1] == 2
        assert list(chunk.frames[0, :, 0, 0, 0]) == list(chunk.animated)
        shown += chunk.animated
    assert shown == [3, 4, 5, 6]
    assert [(span.start, span.stop) for span in engine.spans] == [(0, 1), (1, 3), (3, 4)]
    assert engine.motion is not None and engine.motion.source is not None
    np.testing.assert_array_equal(engine.motion.source.read()["number"][:, 0], [3, 4, 5, 6])
    np.testing.assert_array_equal(engine.motion.driving_frames, [0, 1, 2, 3])


def test_without_a_part_all_is_as_it_was(pair: Any, tmp_path: Path) -> None:
    whole = work(source=pair.source, source_template="s", n_frames=N, chunk=2)
    driving, source = TemplateCache(f"file://{tmp_path}").of_pair(whole)
    assert source is not None and len(source) == N
    np.testing.assert_array_equal(driving_frames(whole, source, driving), np.arange(N))


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40), st.integers(1, 9))
def test_chunks_share_a_part_without_gap_or_overlap(n_frames: int, first: int, count: int, chunk: int) -> None:
    first = min(first, n_frames - 1)
    pair = work(n_frames=n_frames, chunk=chunk, part=(first, min(count, n_frames - first)))
    pieces = [pair.animated_of(i, min(i + chunk, n_frames)) for i in range(0, n_frames, chunk)]
    assert [frame for piece in pieces for frame in piece] == list(pair.animated)
    starts = range(0, n_frames, chunk)
    assert all(i <= piece.start <= piece.stop <= i + chunk for i, piece in zip(starts, pieces, strict=True))
