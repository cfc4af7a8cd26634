"""Motion transfer against the reference's keypoints, every row of pipeline_cases.json."""

from __future__ import annotations

import json
import zlib
from dataclasses import fields
from functools import cache
from typing import Any, Literal

import numpy as np
import pytest
from liveportrait_recipe import salt_of
from numpy.typing import NDArray

from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.pickle_io import NAMES
from lp_ray.motion.records import DrivingMotion, SourceMotion
from lp_ray.motion.transfer import TransferOptions, transfer
from tests.goldens import Goldens

F32 = NDArray[np.float32]
Case = dict[str, Any]

TOLERANCES = {"image": 1e-5, "video": 1e-4}
KINDS = [("human", "image"), ("human", "video"), ("animal", "image")]
OPTIONS = {field.name for field in fields(TransferOptions)}

BETTER_THAN_THE_REFERENCE = {
    "KeyError: 'c_d_eyes_lst'": "templates without eye and lip lists animate people all the same "
    "(spec, 'Exact quirks'); only retargeting needs the lists",
}
"""Where the reference raises: what ours does instead."""


class NumpyMlp:
    """Linear layers with ReLU between, weights `model` under `salt` (goldens README, "Recipe")."""

    def __init__(self, goldens: Goldens, salt: str, model: str) -> None:
        tensors = json.loads((goldens / "state_dicts.json").read_text())["human"][model]["tensors"]
        self.layers = [
            (
                _seeded(salt, model, name, shape),
                _seeded(salt, model, name.replace("weight", "bias"), shape[:1]),
            )
            for name, (shape, _) in tensors.items()
            if name.endswith("weight")
        ]

    def __call__(self, x: F32) -> F32:
        *hidden, (weight, bias) = self.layers
        for hidden_weight, hidden_bias in hidden:
            x = np.maximum(x @ hidden_weight.T + hidden_bias, 0)
        return x @ weight.T + bias


class NumpyHeads:
    """Heads of lp_ray.motion.retarget on the weights that `salt` gives, the human ones or the animals'."""

    def __init__(self, goldens: Goldens, salt: str) -> None:
        self._stitch, self._lip, self._eye = (
            NumpyMlp(goldens, salt, model) for model in ("S_shoulder", "S_mouth", "S_eye")
        )

    def stitch(self, x_s: F32, x_d: F32) -> F32:
        n = len(x_d)
        delta = self._stitch(np.concatenate([x_s.reshape(n, -1), x_d.reshape(n, -1)], axis=1))
        shift = np.pad(delta[:, 63:], ((0, 0), (0, 1)))
        return x_d + delta[:, :63].reshape(n, 21, 3) + shift[:, None]

    def eye_delta(self, x_s: F32, ratios: F32) -> F32:
        return self._eye(np.concatenate([x_s.reshape(len(x_s), -1), ratios], axis=1)).reshape(-1, 21, 3)

    def lip_delta(self, x_s: F32, ratios: F32) -> F32:
        return self._lip(np.concatenate([x_s.reshape(len(x_s), -1), ratios], axis=1)).reshape(-1, 21, 3)


def _seeded(salt: str, model: str, name: str, shape: list[int]) -> F32:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(f"{salt}:{model}:{name}".encode())))
    spread = 0.1 if name.endswith("bias") else 1 / np.sqrt(shape[1])
    return (generator.standard_normal(shape) * spread).astype(np.float32)


class Pipeline:
    """Inputs and answers of all cases."""

    def __init__(self, folder: Goldens) -> None:
        table = json.loads((folder / "pipeline_cases.json").read_text())
        self.cases: list[Case] = [dict(zip(table["fields"], row, strict=True)) for row in table["rows"]]
        with np.load(folder / "pipeline.npz") as file:
            self.arrays: dict[str, NDArray[Any]] = dict(file)
        self._folder = folder

    def heads(self, kind: Literal["human", "animal"]) -> NumpyHeads:
        return _heads(self._folder, salt_of(self._folder, kind))

    def expected(self, case: Case) -> F32:
        start, n = self.arrays["offset"][case["output"]], case["n_frames"]
        return self.arrays["x_d_i_new"][start : start + n]

    def source(self, case: Case) -> SourceMotion:
        info = self._group("source_info")
        R = rotation(info.pop("pitch"), info.pop("yaw"), info.pop("roll"))
        points = self.arrays["source_lmk"].astype(np.float64)
        frames = {**info, "R": R, "eye_ratio": eye_ratios(points), "lip_ratio": lip_ratio(points)}
        if case["source_lmk_none"]:
            del frames["eye_ratio"], frames["lip_ratio"]
        if case["source"] == "image":
            return SourceMotion.from_frames({name: rows[:1] for name, rows in frames.items()}, False)
        return SourceMotion.from_frames(frames, True).take(slice(0, case["n_frames"]))

    def driving(self, case: Case) -> DrivingMotion:
        frames = {NAMES.get(k, k): v for k, v in self._group(f"template/{case['template']}").items()}
        return DrivingMotion.from_frames(frames, is_still=len(frames["exp"]) == 1)

    def _group(self, prefix: str) -> dict[str, NDArray[Any]]:
        return {k.rsplit("/", 1)[1]: v for k, v in self.arrays.items() if k.startswith(f"{prefix}/")}


@cache
def _load(folder: Goldens) -> Pipeline:
    return Pipeline(folder)


@cache
def _heads(folder: Goldens, salt: str) -> NumpyHeads:
    return NumpyHeads(folder, salt)


def _animate(goldens: Pipeline, case: Case) -> F32:
    given = {name: case[name] for name in OPTIONS & case.keys() if case[name] is not None}
    options = TransferOptions(variant=case["kind"], **given)
    source, driving = goldens.source(case), goldens.driving(case)
    reference = driving.take(slice(0, 1))
    if not driving.is_still and case["n_frames"] is not None:
        driving = driving.take(slice(0, case["n_frames"]))
    return transfer(source, driving, reference, goldens.heads(case["kind"]), options)


def _distance(ours: F32, theirs: F32) -> float:
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf


def _named(row: int, case: Case) -> str:
    return f"row {row}: " + ", ".join(f"{name}={value}" for name, value in case.items() if value is not None)


@pytest.mark.parametrize(("kind", "source"), KINDS)
@pytest.mark.parametrize("relative", [True, False, None])
def test_keypoints_of_every_row(goldens: Goldens, kind: str, source: str, relative: bool | None) -> None:
    """x_d and x_s of each row equal the reference's within the README's tolerance."""
    loaded = _load(goldens)
    wrong = []
    for row, case in enumerate(loaded.cases):
        chosen = (case["kind"], case["source"], case["flag_relative_motion"]) == (kind, source, relative)
        if not chosen or case["error"]:
            continue
        ours, theirs = _animate(loaded, case), loaded.expected(case)
        assert ours.dtype == np.float32
        x_s = np.broadcast_to(loaded.source(case).x_s, theirs.shape)
        error = max(
            _distance(ours, theirs),
            _distance(x_s, loaded.arrays[f"x_s/{kind}/{source}/{case['n_frames']}"]),
        )
        if not error <= TOLERANCES[source]:
            wrong.append(f"{_named(row, case)}: off by {error:.2g}")
    assert not wrong, "\n".join([f"{len(wrong)} rows differ", *wrong[:20]])


def test_every_row_belongs_to_a_group(goldens: Goldens) -> None:
    """The groups above leave no row of the file out."""
    loaded = _load(goldens)
    assert {(case["kind"], case["source"]) for case in loaded.cases} <= set(KINDS)
    assert {case["flag_relative_motion"] for case in loaded.cases} <= {True, False, None}


def test_rows_where_the_reference_raises(goldens: Goldens) -> None:
    """Each such row is one we know of, and gives finite keypoints for all of the driving's frames."""
    loaded = _load(goldens)
    for row, case in enumerate(loaded.cases):
        if case["error"]:
            assert case["error"] in BETTER_THAN_THE_REFERENCE, _named(row, case)
            x_d = _animate(loaded, case)
            assert len(x_d) == len(loaded.driving(case)) and np.isfinite(x_d).all(), _named(row, case)
