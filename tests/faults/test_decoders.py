"""An input that crashes its decoder fails only its own pairs, with its reason; all other pairs are made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from jobs.exit_codes import EXIT_SOME_FAILED
from lp_ray.acting.film import film_performance
from lp_ray.base.arrays import Image
from lp_ray.media import ffmpeg
from lp_ray.output import results
from tests.faults import plants
from tests.generated import Generated
from tests.running import TALK_FPS, RunJob, write_manifest

N_INNOCENTS, N_FRAMES = 40, 3
LIMITS = ("limits.picture_timeout_s=20", "limits.timeout_s=20", "limits.decoder_bytes=1073741824")


@pytest.fixture(scope="module")
def portrait(generated: Generated) -> Image:
    """A real face, small."""
    picture = cv2.cvtColor(cv2.imread(str(generated.portrait)), cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.resize(picture, (256, round(256 * picture.shape[0] / picture.shape[1]))), np.uint8)


def png(picture: Image) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


@pytest.fixture
def run_planted(run_job: RunJob) -> Callable[..., Any]:
    """Run a job whose processes all find the plants."""

    def run(*arguments: str) -> Any:
        paths = f"{plants.FOLDER}:{Path(__file__).parents[2]}"
        environment = plants.ENVIRONMENT | {"PYTHONPATH": paths, "REAL_FFMPEG": ffmpeg.executable()}
        return run_job("animate", *arguments, *LIMITS, **environment)

    return run


def test_inputs_that_kill_or_stall_their_decoder_fail_alone(
    tmp_path: Path, portrait: Image, run_planted: Callable[..., Any]
) -> None:
    """Among 40 innocent pictures one makes its decoder segfault, one makes it hang, one makes it eat memory; of the
    drivings, one segfaults ffmpeg and one stalls it. Exactly those five fail, each naming what its decoder died of,
    and each once; all 40 innocents are done.
    """
    sources, pairs = [], []
    for i in range(N_INNOCENTS):
        (tmp_path / f"{i}.png").write_bytes(png(portrait))
        sources.append({"uri": str(tmp_path / f"{i}.png"), "source_id": f"innocent-{i}"})
    for fault in ("segfault", "hang", "memory"):
        path = plants.plant(tmp_path / f"{fault}.png", png(portrait), fault)
        sources.append({"uri": str(path), "source_id": f"picture-{fault}"})
    film_performance(tmp_path / "good.mp4", "talk", portrait, TALK_FPS, N_FRAMES, sound=False)
    drivings = [{"uri": str(tmp_path / "good.mp4"), "driving_id": "good"}]
    for fault in ("segfault", "hang"):
        (tmp_path / f"{fault}.mp4").write_bytes((tmp_path / "good.mp4").read_bytes())
        drivings.append({"uri": str(tmp_path / f"{fault}.mp4"), "driving_id": f"clip-{fault}"})
    pairs = [{"source_id": row["source_id"], "driving_id": "good"} for row in sources]
    pairs += [{"source_id": "innocent-0", "driving_id": f"clip-{fault}"} for fault in ("segfault", "hang")]
    ended = run_planted(
        f"sources={write_manifest(tmp_path / 's.parquet', sources)}",
        f"drivings={write_manifest(tmp_path / 'd.parquet', drivings)}",
        f"pairs={write_manifest(tmp_path / 'p.parquet', pairs)}",
        f"output={tmp_path / 'out'}",
    )
    assert ended.code == EXIT_SOME_FAILED, ended.output
    rows = results.read_results(str(tmp_path / "out")).to_pylist()
    assert len(rows) == N_INNOCENTS + 5
    done = [row["source_id"] for row in rows if row["status"] == "done"]
    assert sorted(done) == sorted(f"innocent-{i}" for i in range(N_INNOCENTS))
    failed = {
        (row["source_id"], row["driving_id"]): (row["stage"], row["error_class"], row["error"])
        for row in rows
        if row["status"] == "failed"
    }
    expected = {
        ("picture-segfault", "good"): ("source", "DecoderCrashedError", "died of SIGSEGV"),
        ("picture-hang", "good"): ("source", "DecoderTimeoutError", "limits.picture_timeout_s"),
        ("picture-memory", "good"): ("source", "DecoderMemoryError", "limits.decoder_bytes"),
        ("innocent-0", "clip-segfault"): ("track", "DecoderCrashedError", "died of SIGSEGV"),
        ("innocent-0", "clip-hang"): ("track", "DecoderTimeoutError", "gave nothing for 20 s"),
    }
    assert {key: value[:2] for key, value in failed.items()} == {key: value[:2] for key, value in expected.items()}
    for key, (_, _, words) in expected.items():
        assert words in failed[key][2]


def test_an_input_that_kills_its_actor_is_blamed_and_nobody_else(
    tmp_path: Path, portrait: Image, run_planted: Callable[..., Any]
) -> None:
    """A crash in the landmarker's native code takes the whole actor along, which no decoder's child can catch. A
    picture that does so (paired with two drivings), and a clip that does so, each fail alone; the innocents that
    stood in line with them at the same actors are done. Nothing is tried forever.
    """
    fatal = plants.for_landmarker(portrait)
    (tmp_path / "fatal.png").write_bytes(png(fatal))
    sources = [{"uri": str(tmp_path / "fatal.png"), "source_id": "fatal"}]
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(png(portrait))
        sources.insert(i % 2, {"uri": str(tmp_path / f"{i}.png"), "source_id": f"innocent-{i}"})
    film_performance(tmp_path / "good.mp4", "talk", portrait, TALK_FPS, N_FRAMES, sound=False)
    drivings = [
        {"uri": str(tmp_path / "good.mp4"), "driving_id": "good"},
        {"uri": str(tmp_path / "fatal.png"), "driving_id": "fatal-driving"},
        {"uri": str(tmp_path / "0.png"), "driving_id": "still"},
    ]
    ended = run_planted(
        f"sources={write_manifest(tmp_path / 's.parquet', sources)}",
        f"drivings={write_manifest(tmp_path / 'd.parquet', drivings)}",
        f"output={tmp_path / 'out'}",
    )
    assert ended.code == EXIT_SOME_FAILED, ended.output
    rows = results.read_results(str(tmp_path / "out")).to_pylist()
    assert len(rows) == len(sources) * len(drivings)
    for row in rows:
        guilty = row["source_id"] == "fatal" or row["driving_id"] == "fatal-driving"
        assert row["status"] == ("failed" if guilty else "done"), (row["source_id"], row["driving_id"], row["error"])
        if guilty:
            stage = "track" if row["driving_id"] == "fatal-driving" else "source"
            assert (row["stage"], row["error_class"]) == (stage, "ActorDiedError"), row["error"]
            assert "died of SIGSEGV" in row["error"]
