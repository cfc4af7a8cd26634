"""A file that is not exactly what was published is refused, by file and key, and nothing in it is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lp_ray.base.errors import WeightsError
from lp_ray.engine.liveportrait.networks import Weights
from lp_ray.engine.liveportrait.weights.checkpoint import read_states

State = dict[str, Tensor]
WHERE = "liveportrait/base_models/appearance_feature_extractor.pth"
KEY = "resblocks_3d.3dr3.conv2.weight"


def test_the_published_file_reads_unchanged(tmp_path: Path, full_weights: Weights) -> None:
    torch.save(dict(full_weights["F"]), tmp_path / "F.pth")
    states = read_states(tmp_path / "F.pth", "F", WHERE)
    assert states.keys() == {"F"} and states["F"].keys() == full_weights["F"].keys()
    assert all(torch.equal(states["F"][key], tensor) for key, tensor in full_weights["F"].items())


def test_the_stitching_file_is_three_networks_with_wrapped_keys(
    tmp_path: Path, full_weights: Weights, stitching_file: Mapping[str, Mapping[str, Tensor]]
) -> None:
    torch.save(stitching_file, tmp_path / "S.pth")
    states = read_states(tmp_path / "S.pth", "S", "S.pth")
    assert states.keys() == {"S_shoulder", "S_mouth", "S_eye"}
    for model, state in states.items():
        assert all(torch.equal(state[key], tensor) for key, tensor in full_weights[model].items())


def renamed(state: State) -> None:
    state["resblocks_3d.3dr3.conv2.wait"] = state.pop(KEY)


def missing(state: State) -> None:
    del state[KEY]


def added(state: State) -> None:
    state["extra.weight"] = torch.zeros(1)


def transposed(state: State) -> None:
    state["second.weight"] = state["second.weight"].transpose(0, 1).contiguous()


def not_finite(state: State) -> None:
    state[KEY] = state[KEY].clone()
    state[KEY][0, 0, 0, 0, 0] = torch.nan


def integer(state: State) -> None:
    state[KEY] = state[KEY].to(torch.int64)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (renamed, f"lacks key '{KEY}'"),
        (missing, f"lacks key '{KEY}'"),
        (added, "has unknown key 'extra.weight'"),
        (transposed, "key 'second.weight' is (256, 512, 1, 1) where (512, 256, 1, 1) belongs"),
        (not_finite, f"key '{KEY}' holds non-finite values"),
        (integer, f"key '{KEY}' is torch.int64"),
    ],
)
def test_one_wrong_key_is_named(
    tmp_path: Path, full_weights: Weights, spoil: Callable[[State], None], says: str
) -> None:
    state = dict(full_weights["F"])
    spoil(state)
    torch.save(state, tmp_path / "F.pth")
    with pytest.raises(WeightsError) as refused:
        read_states(tmp_path / "F.pth", "F", WHERE)
    message = str(refused.value)
    assert WHERE in message and says in message and "lp-ray weights pull" in message


def test_a_wrong_file_for_a_network_is_named(
    tmp_path: Path, full_weights: Weights, stitching_file: Mapping[str, Mapping[str, Tensor]]
) -> None:
    torch.save(dict(full_weights["F"]), tmp_path / "F.pth")
    with pytest.raises(WeightsError, match=r"M: lacks key 'detector\.downsample_layers\.0\.0\.weight' and 211 more"):
        read_states(tmp_path / "F.pth", "M", "motion_extractor.pth")
    with pytest.raises(WeightsError, match="retarget_shoulder, retarget_mouth, retarget_eye belong"):
        read_states(tmp_path / "F.pth", "S", "S.pth")
    one_lacking = {name: dict(state) for name, state in stitching_file.items()}
    del one_lacking["retarget_eye"]["module.mlp.10.bias"]
    torch.save(one_lacking, tmp_path / "S.pth")
    with pytest.raises(WeightsError, match=r"S\.pth: S_eye: lacks key 'mlp\.10\.bias'"):
        read_states(tmp_path / "S.pth", "S", "S.pth")


class Malicious:
    """Runs a command when unpickled the ordinary way."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self.command,)


def test_code_in_a_checkpoint_is_refused_and_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"first.conv.weight": Malicious(f"touch {mark}")}, tmp_path / "F.pth")
    with pytest.raises(WeightsError, match="can be read safely"):
        read_states(tmp_path / "F.pth", "F", WHERE)
    assert not mark.exists()
    torch.load(tmp_path / "F.pth", weights_only=False)  # the file is armed: the ordinary way does run it
    assert mark.exists()


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04" + bytes(60)])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "F.pth").write_bytes(content)
    with pytest.raises(WeightsError, match="not a checkpoint"):
        read_states(tmp_path / "F.pth", "F", WHERE)
