"""The insightface detector in the whole job: small models from a weight store, drawn and real inputs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lp_ray import storage
from lp_ray.face.factory import LandmarkerSpec, identify_landmarker
from lp_ray.face.insightface.files import DETECTOR, POINTS_106, POINTS_203
from lp_ray.media.encode import encode_segment
from lp_ray.models.cache import CACHE_VARIABLE
from lp_ray.models.store import WeightStore
from lp_ray.motion.template import TemplateReader
from lp_ray.output import results
from tests.face.insightface.drawn import Drawn, draw
from tests.face.insightface.models import stock_store, write_models
from tests.generated import Generated
from tests.running import RunJob, write_manifest

SEEDED = ("engine=liveportrait", "engine.weights=seeded", "engine.size=tiny", "paste_back=false")
FPS, N_FRAMES = Fraction(25), 12
GAP = 5
"""Frame of the drawn driving that shows no face."""


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return stock_store(str(tmp_path / "store (1)"), write_models(tmp_path / "models"))


@dataclass(frozen=True)
class Inputs:
    """Manifests of drawn inputs and others, how a job is told of them, and the cache that it gets."""

    command: tuple[str, ...]
    output: Path
    cache: dict[str, str]

    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(r["source_id"], r["driving_id"]): r for r in results.read_results(str(self.output)).to_pylist()}


@pytest.fixture
def inputs(tmp_path: Path, generated: Generated, store: WeightStore) -> Inputs:
    portrait = draw(512, 512, Drawn(264, 200, 100, 200, 55))
    cv2.imwrite(str(tmp_path / "drawn.png"), portrait[..., ::-1])
    path = [draw(512, 512, Drawn(264 + 8 * i, 200, 120 + 2 * i, 200, 60)) for i in range(N_FRAMES)]
    path[GAP] = draw(512, 512)
    encode_segment(tmp_path / "drawn.mp4", path, FPS, 10, "veryfast")
    encode_segment(tmp_path / "empty.mp4", [draw(512, 512)] * 3, FPS, 10, "veryfast")
    sources = write_manifest(
        tmp_path / "s.parquet",
        [
            {"uri": str(tmp_path / "drawn.png"), "source_id": "drawn"},
            {"uri": str(generated.portrait), "source_id": "real"},
        ],
    )
    drivings = write_manifest(
        tmp_path / "d.parquet",
        [
            {"uri": str(tmp_path / "drawn.mp4"), "driving_id": "drawn"},
            {"uri": str(generated.silent_clip), "driving_id": "real", "end_s": 0.4},
            {"uri": str(tmp_path / "empty.mp4"), "driving_id": "empty"},
        ],
    )
    output = tmp_path / "out"
    places = (f"sources={sources}", f"drivings={drivings}", f"output={output}", f"detector.weights={store}")
    return Inputs(
        ("animate", *places, *SEEDED, "detector=insightface"), output, {CACHE_VARIABLE: str(tmp_path / "cache")}
    )


def test_a_job_on_the_insightface_detector(
    inputs: Inputs, store: WeightStore, tmp_path: Path, run_job: RunJob, call_job: RunJob
) -> None:
    """Every pair is made but those of the driving without a face; templates hold the ratios of the 203 points."""
    ended = run_job(*inputs.command, **inputs.cache)
    assert ended.code == 3, ended.output
    rows = inputs.rows()
    for (source, driving), row in rows.items():
        if driving == "empty":
            assert (row["status"], row["stage"], row["error_class"]) == ("failed", "track", "NoFaceError"), source
        else:
            assert (row["status"], row["error"]) == ("done", None), row["error"]
    assert len(rows) == 6
    row = rows["drawn", "drawn"]
    assert (row["n_frames"], row["frames_without_face"]) == (N_FRAMES, 1)
    template = TemplateReader(Path(row["template_uri"].removeprefix("file://")))
    assert template.header.landmarker_digest == identify_landmarker(LandmarkerSpec("insightface", store.uri)).digest
    assert template.header.missing_frames == (GAP,)
    motion = template.read(names=("eye_ratio", "lip_ratio"))
    np.testing.assert_allclose(motion["eye_ratio"], np.full((N_FRAMES, 2), 0.4), atol=1e-3)  # see `models.pattern`
    np.testing.assert_allclose(motion["lip_ratio"], np.full((N_FRAMES, 1), 1 / 3), atol=1e-3)
    assert len({*(tmp_path / "cache").rglob("*.onnx")}) == 3
    again = call_job(*inputs.command, **inputs.cache)
    assert "nothing to do" in again.output, again.output


def test_a_flipped_byte_in_a_model_stops_the_job(inputs: Inputs, store: WeightStore, run_job: RunJob) -> None:
    data = bytearray(store.read(POINTS_106))
    data[len(data) // 2] ^= 1
    storage.put_bytes(storage.join(store.uri, POINTS_106), bytes(data))
    ended = run_job(*inputs.command, **inputs.cache)
    assert ended.code == 1, ended.output
    said = [line for line in ended.output.splitlines() if line.startswith("stopped: ")]
    assert len(said) == 1 and f"{POINTS_106} is not what came in" in said[0], ended.output
    assert not list(inputs.output.rglob("*.mp4"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("detector.weights=/nowhere",), "detector.weights: no weight store at file:///nowhere"),
        (("detector.weights=null",), "lp-ray weights pull"),
        (("detector.device=tpu",), "detector.device='tpu' must be cpu, cuda or cuda:N"),
        (("detector.name=dlib",), "detector='dlib' must be one of mediapipe, insightface"),
        (("detector.device=cuda", "cluster.num_cpus=4"), "the cluster has none: use detector.device=cpu"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    inputs: Inputs, call_job: RunJob, arguments: tuple[str, ...], words: str
) -> None:
    ended = call_job(*inputs.command, *arguments, **inputs.cache)
    assert ended.code == 2 and words in ended.output, ended.output
    assert not inputs.output.exists()


def test_a_store_without_a_model_is_refused(
    inputs: Inputs, store: WeightStore, tmp_path: Path, call_job: RunJob
) -> None:
    part = WeightStore(str(tmp_path / "part"))
    part.write((name, store.read(name), store.entry(name)) for name in (DETECTOR, POINTS_106))
    ended = call_job(*inputs.command, f"detector.weights={part}", **inputs.cache)
    assert ended.code == 2 and f"has no {POINTS_203}" in ended.output, ended.output
    assert "lp-ray weights" in ended.output and not inputs.output.exists()
