"""Checkpoints: what is taken, what is refused, and by which name."""

from __future__ import annotations

import argparse
import os
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lp_ray.base.errors import WeightsError
from lp_ray.engine.liveportrait.weights.checkpoint import read_pth
from lp_ray.face.xpose.config import TINY
from lp_ray.face.xpose.weights import alias_keys, load_xpose, own_tensors, read_checkpoint

INDEX = "backbone.0.layers.1.blocks.0.attn.relative_position_index"


def test_a_checkpoint_survives_the_file_and_drops_the_wrapper(checkpoint: dict[str, Tensor], tmp_path: Path) -> None:
    """As training scripts save it: keys below `module.`, the arguments beside the model."""
    path = tmp_path / "xpose.pth"
    wrapped = {f"module.{key}": x for key, x in checkpoint.items()}
    torch.save({"model": wrapped, "args": argparse.Namespace(lr=1e-4), "epoch": 3}, path)
    again = read_checkpoint(path)
    assert again.keys() == checkpoint.keys()
    assert all(torch.equal(again[key], x) for key, x in checkpoint.items())


def test_own_tensors_load_without_aliases_and_unknown_keys_are_counted(checkpoint: dict[str, Tensor]) -> None:
    own, first = own_tensors(checkpoint, "file", TINY)
    assert first.aliases == len(alias_keys(TINY)) and first.dead == 4
    _, second = load_xpose({**own, "visual.conv1.weight": torch.zeros(1)}, "file", TINY)
    assert second.own == len(own) == first.own
    assert (second.aliases, second.dead, second.unknown) == (0, 0, ("visual.conv1.weight",))


@pytest.mark.parametrize("key", ["transformer.level_embed", "input_proj.3.0.bias", INDEX])
def test_a_missing_key_is_named(checkpoint: dict[str, Tensor], key: str) -> None:
    with pytest.raises(WeightsError, match=rf"some\.pth: key '{key}' is missing"):
        own_tensors({k: x for k, x in checkpoint.items() if k != key}, "some.pth", TINY)


def test_another_shape_is_named(checkpoint: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match=r"'transformer\.level_embed' has shape \(3, 32\), not \(4, 32\)"):
        own_tensors({**checkpoint, "transformer.level_embed": torch.zeros(3, 32)}, "file", TINY)


@pytest.mark.parametrize("key", ["bbox_embed.3.layers.1.weight", "transformer.decoder.pose_hw_embed.1.layers.2.bias"])
def test_an_alias_that_differs_is_named(checkpoint: dict[str, Tensor], key: str) -> None:
    with pytest.raises(WeightsError, match=f"'{key}' differs"):
        own_tensors({**checkpoint, key: checkpoint[key] + 1}, "file", TINY)


def test_index_tables_of_the_file_cannot_point_elsewhere(checkpoint: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match=f"'{INDEX}' is not the table"):
        load_xpose({**checkpoint, INDEX: checkpoint[INDEX] + 100}, "file", TINY)


class _Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_a_checkpoint_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    path, marker = tmp_path / "xpose.pth", tmp_path / "ran"
    torch.save({"model": _Hostile(marker)}, path)
    with pytest.raises(WeightsError, match=r"xpose\.pth: not a checkpoint that can be read safely"):
        read_checkpoint(path)
    assert not marker.exists()


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such X-Pose checkpoint"):
        read_checkpoint(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.pth: not a checkpoint"):
        read_checkpoint(tmp_path / "text.pth")
    torch.save({"state": {}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no state dict under the key 'model'"):
        read_checkpoint(tmp_path / "other.pth")


def test_a_checkpoint_whose_pickle_is_forged_is_refused(tmp_path: Path) -> None:
    """torch's own unpickler raises nearly anything then: its stack's IndexError, a struct.error, a TypeError."""
    whole, forged = tmp_path / "whole.pth", tmp_path / "forged.pth"
    torch.save({"model": {"a": torch.zeros(3)}}, whole)
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in members if name.endswith("data.pkl")]
    for content in (b"\x80\x02R.", b"\x80\x02G\0.", b"\x80\x02}]Ns.", b"\x80\x02}(Nu.", b"\x80\x02h\5.", b"\x80\x02]"):
        with zipfile.ZipFile(forged, "w") as archive:
            for member, data in (members | {name: content}).items():
                archive.writestr(member, data)
        with pytest.raises(WeightsError, match=r"forged\.pth: not a checkpoint that can be read safely"):
            read_checkpoint(forged)
        with pytest.raises(WeightsError, match=r"F: not a checkpoint that can be read safely"):
            read_pth(forged, "F")
