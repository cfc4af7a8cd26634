"""Text prompts: our file format, and the one kind of pickle that is let in."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lp_ray.base.errors import WeightsError
from lp_ray.face.xpose.prompts import MAX_FILE_BYTES, TextPrompts, import_prompts, prompts_to_npz, read_prompts
from lp_ray.face.xpose.seeded import seeded_prompts


class _CudaStorage:
    """Pickles as a storage saved on a GPU does: a nested legacy torch file that names `cuda:0`."""

    def __init__(self, tensor: Tensor) -> None:
        file = BytesIO()
        torch.save(tensor.storage(), file, _use_new_zipfile_serialization=False)
        cpu, cuda = (b"X" + len(name).to_bytes(4, "little") + name for name in (b"cpu", b"cuda:0"))
        self.data = file.getvalue().replace(cpu, cuda)
        assert cuda in self.data

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return torch.storage._load_from_bytes, (self.data,)


class _CudaTensor:
    def __init__(self, tensor: Tensor, size: tuple[int, ...] | None = None) -> None:
        self.storage, self.size = _CudaStorage(tensor), size or tuple(tensor.shape)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        strides = (self.size[1], 1)
        return torch._utils._rebuild_tensor_v2, (self.storage, 0, self.size, strides, False, OrderedDict())


def _halves(n: int) -> tuple[Tensor, Tensor]:
    prompts = seeded_prompts(n)
    return torch.from_numpy(prompts.instance).half(), torch.from_numpy(prompts.keypoints).half()


@pytest.mark.parametrize("n", [9, 68])
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_the_official_kind_of_pickle_is_imported(n: int, protocol: int) -> None:
    """float16 CUDA tensors in nested torch files, read where there is no GPU."""
    halves = _halves(n)
    prompts = import_prompts(pickle.dumps(tuple(map(_CudaTensor, halves)), protocol), "clip.pkl")
    assert prompts.instance.dtype == prompts.keypoints.dtype == np.float32
    assert np.array_equal(prompts.instance, halves[0].float()) and np.array_equal(prompts.keypoints, halves[1].float())


def test_prompts_survive_our_file_format() -> None:
    prompts = seeded_prompts(68)
    again = read_prompts(prompts_to_npz(prompts), "clip.npz")
    assert np.array_equal(again.instance, prompts.instance) and np.array_equal(again.keypoints, prompts.keypoints)


class _Calls:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


class _State:
    def __reduce__(self) -> tuple[object, tuple[()], dict[str, int]]:
        return OrderedDict, (), {"a": 1}


def test_pickles_that_do_anything_else_are_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for content, why in (
        ((_Calls(os.mkdir, str(marker)), 1), r"refers to \w+\.mkdir"),
        ((_State(), 1), "at byte"),
        ((torch.zeros(1, 512), OrderedDict()), "clip.pkl"),
        (OrderedDict(), "clip.pkl"),
        ((_CudaTensor(torch.zeros(1, 512), (9, 512)),) * 2, "cannot reshape"),
        ((_Calls(torch.storage._load_from_bytes, pickle.dumps(_Calls(os.mkdir, str(marker)))), 1), "clip.pkl"),
    ):
        with pytest.raises(WeightsError, match=why):
            import_prompts(pickle.dumps(content), "clip.pkl")
    assert not marker.exists()
    with pytest.raises(WeightsError, match="bytes, not a file of text prompts"):
        import_prompts(bytes(MAX_FILE_BYTES + 1), "clip.pkl")


def test_files_of_another_content_are_refused() -> None:
    compressed, objects, missing = BytesIO(), BytesIO(), BytesIO()
    np.savez_compressed(compressed, instance=np.zeros((1, 512), np.float32), keypoints=np.zeros((9, 512), np.float32))
    np.savez(objects, instance=np.array([{}]), keypoints=np.zeros((9, 512), np.float32))
    np.savez(missing, instance=np.zeros((1, 512), np.float32))
    for file, why in ((compressed, "compressed"), (objects, "anything but plain numbers"), (missing, "keypoints.npy")):
        with pytest.raises(WeightsError, match=why):
            read_prompts(file.getvalue(), "clip.npz")
    for junk in (b"", b"junk", prompts_to_npz(seeded_prompts(9))[:-40]):
        with pytest.raises(WeightsError, match=r"clip\.npz: not a file of text prompts"):
            read_prompts(junk, "clip.npz")


@pytest.mark.parametrize(("offset", "value"), [(6, 64), (8, 0x1), (8, 0x20)])
def test_archives_of_a_kind_that_zipfile_does_not_know_are_refused(offset: int, value: int) -> None:
    """The version that is needed, encryption, patches: fields of the directory's entry (APPNOTE 4.3.12)."""
    data = bytearray(prompts_to_npz(seeded_prompts(9)))
    at = data.index(b"PK\1\2") + offset
    data[at : at + 2] = value.to_bytes(2, "little")
    with pytest.raises(WeightsError, match=r"clip\.npz: not a file of text prompts"):
        read_prompts(bytes(data), "clip.npz")


def test_a_header_that_claims_more_than_the_member_holds_is_refused() -> None:
    file = BytesIO()
    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 512)})
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("instance.npy", header.getvalue() + bytes(2048))
    with pytest.raises(WeightsError, match="cannot reshape"):
        read_prompts(file.getvalue(), "clip.npz")


@pytest.mark.parametrize(
    ("instance", "keypoints", "why"),
    [
        (np.zeros((2, 512)), np.zeros((9, 512)), r"instance is \(2, 512\)"),
        (np.zeros((1, 512)), np.zeros((69, 512)), r"keypoints is \(69, 512\)"),
        (np.zeros((1, 512)), np.zeros((9, 256)), r"keypoints is \(9, 256\)"),
        (np.zeros((1, 512)), np.full((9, 512), np.nan), "not finite"),
    ],
)
def test_shapes_and_values_are_checked(
    instance: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    keypoints: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    why: str,
) -> None:
    with pytest.raises(WeightsError, match=why):
        TextPrompts(instance.astype(np.float32), keypoints.astype(np.float32))
