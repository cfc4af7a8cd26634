"""An engine in one file: it shows the source upside down while the driving's lips are wider open than at first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import safetensors.numpy
from numpy.typing import NDArray

from lp_ray.base.declared import Declared, Setting
from lp_ray.contract.options import PairOptions
from lp_ray.engine.protocol import FRAME_SIZE, EngineIdentity, EngineSpec, Frames, PairMotion, SourceCrops, Span
from lp_ray.face.points import lip_ratio
from lp_ray.motion.template import MotionFrames
from tests.running import read_frames_of

TARGET = "tests.plugins.test_engine:PLUGIN"


class Flip:
    """Implements `lp_ray.engine.protocol.Engine`."""

    name = "flip"
    digest = "flip 1"
    needs_crops = False
    source_size = FRAME_SIZE

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        return {"open": np.asarray(lip_ratio(points), np.float32)}

    def prepare(self, source: SourceCrops) -> NDArray[np.uint8]:
        return source.images[0]

    def direct(self, motion: PairMotion, options: PairOptions) -> NDArray[np.bool_]:
        lips = motion.driving.read(names=("open",))["open"][motion.driving_frames, 0]
        return np.asarray(lips - lips[0] > self._threshold)

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        for start, stop in span.chunks():
            shown = direction[start:stop]
            yield Frames(np.stack([source[::-1] if flip else source for flip in shown]), {"flipped": shown})


class FlipPlugin:
    """Implements `lp_ray.engine.protocol.EnginePlugin`."""

    settings: ClassVar[Declared] = {
        "device": Setting("cpu", "cpu"),
        "threshold": Setting(0.02, "how much wider than at first lips are open"),
    }

    def identify(self, spec: EngineSpec) -> EngineIdentity:
        threshold = spec.settings[0][1]
        return EngineIdentity("flip", f"{Flip.digest} {threshold}", Flip.needs_crops, Flip.source_size)

    def create(self, spec: EngineSpec) -> Flip:
        return Flip(float(dict(spec.settings)["threshold"]))  # type: ignore[arg-type]


PLUGIN = FlipPlugin()


def test_a_job_runs_an_engine_that_another_package_brings(
    run_with: Callable[..., Any], one_pair: tuple[str, ...], rows: Callable[[], pa.Table], tmp_path: Path
) -> None:
    """By its name, with its own settings in its keys, its facts in a sidecar, and its word in the results."""
    run = run_with("lp_ray.engines", "flip", TARGET)
    ended = run("animate", *one_pair, "engine=flip", "format=frames", "sidecars=[motion]", "end_s=0.8")
    assert ended.code == 0, ended.output
    (row,) = rows().to_pylist()
    assert (row["status"], row["engine"], row["n_frames"]) == ("done", "flip", 20)
    frames = read_frames_of(row["video_uri"])
    flipped = safetensors.numpy.load_file(row["motion_uri"].removeprefix("file://"))["flipped"][0]
    assert 0 < flipped.sum() < 20, "the performance talks"
    upright = frames[int(np.argmin(flipped))]
    for frame, flip in zip(frames, flipped, strict=True):
        np.testing.assert_array_equal(frame, upright[::-1] if flip else upright)
    again = (*one_pair, "engine=flip", "engine.threshold=0.9", "format=frames", "end_s=0.8", "runtime=inline")
    other = run("animate", *again)
    assert other.code == 0 and len(rows()) == 2, "another setting of the engine is another pair"


def test_an_engine_that_nobody_brings_is_refused_with_those_there_are(
    run_with: Callable[..., Any], one_pair: tuple[str, ...]
) -> None:
    run = run_with("lp_ray.engines", "flip", TARGET)
    ended = run("animate", *one_pair, "engine.name=flop")
    assert ended.code == 2 and "must be one of preview, liveportrait, flip (did you mean 'flip'?)" in ended.output
