"""`lp-ray weights` as a user runs it: what it prints and how it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from jobs.cli import main
from jobs.weights import arguments, run
from lp_ray.engine.liveportrait.networks import Weights
from lp_ray.engine.liveportrait.weights.load import identify_weights
from lp_ray.models.artefacts import LICENCES
from lp_ray.models.store import WeightStore

REPOSITORY = Path(__file__).resolve().parents[2]
STITCHING = "liveportrait/retargeting_models/stitching_retargeting_module.pth"
DONE, REFUSED = 0, 2


Job = Callable[..., tuple[int, str]]


@pytest.fixture
def weights_job(capsys: pytest.CaptureFixture[str]) -> Job:
    """Run the job in this process, and return its exit code with all it said."""

    def job(*typed: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stop:
            main("weights", run, arguments(list(typed)))
        return int(stop.value.code or 0), "".join(capsys.readouterr())

    return job


def test_import_then_verify(official: Path, tmp_path: Path) -> None:
    typed = ["import", f"input={official}", f"store={tmp_path}/store", "allow_other=true"]
    command = [sys.executable, "-m", "jobs.weights", *typed]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    said = ended.stdout + ended.stderr
    assert ended.returncode == DONE, said
    assert (
        LICENCES["LivePortrait"] in said
        and f"human/G.safetensors: as locked (other; {LICENCES['LivePortrait']})" in said
    )
    assert identify_weights(f"{tmp_path}/store", "full", "human").label == "other:human"


def test_import_of_other_weights_is_refused(weights_job: Job, official: Path, tmp_path: Path) -> None:
    code, said = weights_job("import", f"input={official}", f"store={tmp_path}/store")
    assert code == REFUSED and "is not the published file" in said and "allow_other=true" in said


def test_verify_names_a_flipped_byte(weights_job: Job, official_store: WeightStore, tmp_path: Path) -> None:
    shutil.copytree(official_store.uri.removeprefix("file://"), tmp_path / "store", copy_function=os.link)
    victim = tmp_path / "store/shared/S.safetensors"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.unlink()
    victim.write_bytes(data)
    code, said = weights_job("verify", f"store={tmp_path}/store")
    assert code == REFUSED
    assert "shared/S.safetensors: altered" in said and "refused: weight store" in said
    assert "animal/F.safetensors: as locked (unpinned; LivePortrait" in said


def test_convert_makes_one_file(weights_job: Job, official: Path, tmp_path: Path, full_weights: Weights) -> None:
    output = tmp_path / "S.safetensors"
    code, said = weights_job("convert", f"input={official / STITCHING}", "model=S", f"output={output}")
    assert code == DONE, said
    tensors = safetensors.torch.load_file(output)
    assert len(tensors) == 28
    assert torch.equal(tensors["S_eye.mlp.10.bias"], full_weights["S_eye"]["mlp.10.bias"])
    code, said = weights_job("convert", f"input={official / STITCHING}", "model=G", f"output={output}")
    assert code == REFUSED and "G: lacks key 'fc.weight'" in said
    code, said = weights_job("convert", f"input={official / STITCHING}", "model=Q", f"output={output}")
    assert code == REFUSED and "model='Q' must be one of F, G, M, S, W, prompts_68, prompts_9, xpose" in said


def test_what_is_typed_wrong_is_refused(weights_job: Job, tmp_path: Path) -> None:
    for typed, says in (
        (("burn", f"store={tmp_path}"), "'burn' must be one of pull, import, verify, convert"),
        ((f"store={tmp_path}",), "command=… is missing"),
        (("import", f"store={tmp_path}"), "input=… is missing"),
        (("verify", f"store={tmp_path}"), "no weight store at"),
        (("import", f"input={tmp_path}", f"store={tmp_path}", "variants=[plant]"), "variants='plant' must be one of"),
    ):
        code, said = weights_job(*typed)
        assert code == REFUSED and says in said, said
