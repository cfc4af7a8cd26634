"""`pytest tests/golden --goldens DIR`: other seeds, and folders that hold only part of the files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from liveportrait_recipe import random

from lp_ray.engine.liveportrait.config import FULL
from lp_ray.engine.liveportrait.networks import bare_networks, expected_shapes
from lp_ray.engine.liveportrait.stitching import retarget, stitch
from lp_ray.engine.liveportrait.weights.seeded import seeded_state
from lp_ray.face.xpose.seeded import seeded_checkpoint
from tests.goldens import CARRIED, SEEDLESS

REPOSITORY = Path(__file__).resolve().parents[2]
PEOPLE, ANIMALS, XPOSE = "elsewhere-people", "elsewhere-animals", "elsewhere-xpose"
SLOW = "recipes or alias or missing_key"
"""What would compute for a minute and shows nothing more here: the salts are read in one place."""

Outcome = Literal["passed", "skipped", "failed"]


@dataclass(frozen=True)
class Run:
    """What a run of pytest said: exit code, and each test's outcome with the reason of a skip."""

    code: int
    tests: Mapping[str, tuple[Outcome, str]]


def run(folder: Path, report: Path, *more: str) -> Run:
    command = [sys.executable, "-m", "pytest", "tests/golden", "--goldens", str(folder), f"--junitxml={report}", *more]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    own = ["--deselect", "tests/golden/test_folders.py", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [*command, *own], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert report.is_file(), ended.stdout + ended.stderr
    tests: dict[str, tuple[Outcome, str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        skipped = case.find("skipped")
        failed = case.find("failure") is not None or case.find("error") is not None
        outcome: Outcome = "failed" if failed else "passed" if skipped is None else "skipped"
        module = case.attrib["classname"].rpartition(".")[2]
        tests[f"{module}.{case.attrib['name']}"] = outcome, "" if skipped is None else skipped.attrib["message"]
    return Run(ended.returncode, tests)


def write_heads(folder: Path, salt: str) -> None:
    """Write module_S.npz as our own heads answer on the weights of another salt."""
    nets = bare_networks(FULL).by_model()
    for model in ("S_shoulder", "S_mouth", "S_eye"):
        nets[model].load_state_dict(seeded_state(salt, model, expected_shapes(FULL)[model]), assign=True)
        nets[model].eval()
    arrays = {}
    with torch.no_grad():
        for case, n in (("b1", 1), ("b3", 3)):
            x_s, x_d = (random(salt, name, case, shape=(n, 21, 3), s=0.3) for name in ("x_s", "x_d"))
            eyes, lips = (
                random(salt, "eyes", case, shape=(n, 3), s=0.3),
                random(salt, "lips", case, shape=(n, 2), s=0.3),
            )
            made = {
                **{"kp_source": x_s, "kp_driving": x_d, "eye_ratio": eyes, "lip_ratio": lips},
                "stitch_delta": nets["S_shoulder"](torch.cat([x_s.flatten(1), x_d.flatten(1)], 1)),
                "stitched": stitch(nets["S_shoulder"], x_s, x_d),
                "eye_delta": retarget(nets["S_eye"], x_s, eyes),
                "lip_delta": retarget(nets["S_mouth"], x_s, lips),
            }
            arrays |= {f"{case}/{name}": tensor.numpy() for name, tensor in made.items()}
    np.savez(folder / "module_S.npz", **arrays)


def write_salts(folder: Path, *salts: str) -> None:
    (folder / "weights_checksums.json").write_text(json.dumps({salt: {} for salt in salts}))


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files made with other salts, the seeds' offset, and three files that have no salt."""
    folder = tmp_path_factory.mktemp("part")
    write_heads(folder, PEOPLE)
    write_salts(folder, PEOPLE, ANIMALS)
    checkpoint = seeded_checkpoint(XPOSE)
    aliases = json.loads((CARRIED / "state_dicts_xpose.json").read_text())["aliases"]
    unique = [x.double() for key, x in checkpoint.items() if key not in aliases and x.is_floating_point()]
    sums = {"sum": sum(float(x.sum()) for x in unique), "abs_sum": sum(float(x.abs().sum()) for x in unique)}
    checksum = {"salt": XPOSE, "n_float_unique": sum(x.numel() for x in unique), **sums}
    (folder / "xpose_checksum.json").write_text(json.dumps(checksum))
    (folder / "README.md").write_text("`base` below is 5 in this folder.\n")
    for name in ("kalman.npz", "geometry.npz", "geometry_cases.json"):
        shutil.copy(CARRIED / name, folder)
    return folder


def test_part_of_the_files_with_other_salts(part: Path, tmp_path: Path) -> None:
    """What is there passes on its own salts, what no seed goes into comes from the carried files, and every other test
    is skipped with the name of the file that it lacks, and no other."""
    ran = run(part, tmp_path / "report.xml", "-k", f"not ({SLOW})")
    assert ran.code == 0, {name: told for name, told in ran.tests.items() if told[0] == "failed"}
    passed = {name for name, (outcome, _) in ran.tests.items() if outcome == "passed"}
    assert passed >= {
        "test_modules.test_keys_and_shapes_are_the_published_ones",
        *(f"test_modules.test_stitching_and_retargeting[{case}]" for case in ("b1", "b3")),
        "test_kalman.test_every_track_at_every_observation_variance",
        "test_xpose.test_every_key_is_accounted_for",
    }
    reasons = {name: reason for name, (outcome, reason) in ran.tests.items() if outcome == "skipped"}
    files = {name: reason.partition(f" is not in {part}")[0] for name, reason in reasons.items()}
    assert {name: file for name, file in files.items() if "test_geometry." in name} == {
        f"test_geometry.test_{what}[4.10]": "geometry_cv410.npz"
        for what in ("crops", "crops_by_box", "outside_of_the_picture_is_black", "paste_back")
    }
    assert files["test_xpose.test_encoder[odd]"] == "xpose_extra.npz"
    assert files["test_xpose.test_encoder[s9]"] == "xpose.npz"
    known = {path.name for path in CARRIED.iterdir()}
    lacking = {file for file in files.values() if not file.startswith("needs ../shared")}  # in a public clone
    assert lacking <= known - SEEDLESS - {path.name for path in part.iterdir()}


def test_the_folders_own_salt_is_the_one_compared_with(part: Path, tmp_path: Path) -> None:
    """The same numbers under another salt do not pass."""
    other = Path(shutil.copytree(part, tmp_path / "other"))
    write_salts(other, "human0", ANIMALS)
    ran = run(other, tmp_path / "report.xml", "-k", "stitching_and_retargeting")
    assert ran.code == 1 and {outcome for outcome, _ in ran.tests.values()} == {"failed"} and len(ran.tests) == 2


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/golden", "--collect-only", "--goldens", str(tmp_path / "none")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR and "there is no such folder" in ended.stderr
