"""What an engine actor holds in memory while it makes a chunk."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.contract.options import PairOptions
from lp_ray.engine.factory import EngineSpec
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import FRAME_SIZE, EngineIdentity, Frames, SourceCrops, Span
from lp_ray.motion.template import TemplateHeader, write_template
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.settings import Settings
from lp_ray.runtime.worker import Worker
from lp_ray.stages.animate import AnimatePairs
from lp_ray.stages.contract import Bench
from lp_ray.stages.rows import AnimatedChunk, SourcedSpan
from lp_ray.storage.uri import local_path
from tests.stages.work import SOURCE, work

N_FRAMES, CHUNK = 6, 2
IDENTITY = EngineIdentity("watched", "digest", needs_crops=False, source_size=4)


class Watched(PreviewEngine):
    """Notes, as each chunk begins to be made, how many it made before are still held by somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[int] = []
        self._made: list[weakref.ref[NDArray[np.uint8]]] = []

    def prepare(self, source: SourceCrops) -> Any:
        return None

    def direct(self, motion: Any, options: PairOptions) -> Any:
        return None

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        for start, stop in span.chunks():
            self.held.append(sum(made() is not None for made in self._made))
            yield Frames(self._make(stop - start, start))

    def _make(self, n: int, value: int) -> NDArray[np.uint8]:
        frames = np.full((n, FRAME_SIZE, FRAME_SIZE, 3), value, np.uint8)
        self._made.append(weakref.ref(frames))
        return frames


@pytest.mark.parametrize("n_faces", [1, 2])
def test_a_chunk_that_is_taken_away_is_gone_before_the_next_is_made(tmp_path: Path, n_faces: int) -> None:
    root = storage.normalise(str(tmp_path))
    path = Path(local_path(TemplateLayout(root).template("t")) or "")
    write_template(path, TemplateHeader("preview", "", "test", 25, 1, N_FRAMES), [{"scale": np.ones((N_FRAMES, 1))}])
    pair = work(source=replace(SOURCE, face="all"), n_frames=N_FRAMES, chunk=CHUNK)
    crops, points = np.zeros((n_faces, 1, 4, 4, 3), np.uint8), np.zeros((n_faces, 1, 0, 3))
    row = SourcedSpan(pair, 0, N_FRAMES, None, crops, points, np.zeros((n_faces, 1, 2, 3)), np.ones((n_faces, 1), bool))
    engine = Watched()
    bench = Bench(Settings(root, root, EngineSpec("preview")), IDENTITY, create=lambda spec: engine)
    taken = []
    for chunk in Worker(AnimatePairs, bench).rows(row):
        assert isinstance(chunk, AnimatedChunk)
        assert chunk.trace.failure is None
        taken.append((chunk.index, chunk.frames.shape[:2], int(chunk.frames.max())))
        del chunk
    assert taken == [(i, (n_faces, CHUNK), CHUNK * i) for i in range(N_FRAMES // CHUNK)]
    others = [face for _ in taken for face in range(n_faces)]  # faces of the same chunk, made just before
    assert engine.held == others
