"""Text prompts: what to look for, as precomputed CLIP ViT-B/32 text features.

There is one instance prompt ("face") and n keypoint prompts. With 9 points the order is right eye right, right eye
left, left eye right, left eye left, nose tip, lip right, lip left, upper lip, lower lip (right is the animal's own).
With 68 points it is that of iBUG 68.

File format: an `.npz` of stored members `instance` (1 x 512) and `keypoints` (n x 512), float32. The official files are
pickles of CUDA tensors; `import_prompts` reads these and refuses all other pickle content.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from numpy.typing import NDArray

from lp_ray.base.errors import WeightsError
from lp_ray.base.npy import read_npy_header
from lp_ray.face.xpose.config import MAX_KEYPOINTS, TEXT_WIDTH

MAX_FILE_BYTES = 1 << 20
"""The official files hold 11 and 71 KB."""
_ENCRYPTED = 0x1

_REMEDY = "import the official clip_embedding_9.pkl or clip_embedding_68.pkl again"


@dataclass(frozen=True)
class TextPrompts:
    """Text features, not normalised: `instance` 1 x 512 and `keypoints` n x 512 (n <= 68), float32.

    Raises WeightsError for other shapes or non-finite values.
    """

    instance: NDArray[np.float32]
    keypoints: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, array, most in (("instance", self.instance, 1), ("keypoints", self.keypoints, MAX_KEYPOINTS)):
            if array.ndim != 2 or array.shape[1] != TEXT_WIDTH or not 1 <= len(array) <= most:
                raise WeightsError(
                    f"text prompts: {name} is {array.shape}, not (1 to {most}) x {TEXT_WIDTH}: {_REMEDY}"
                )
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise WeightsError(f"text prompts: {name} is not finite float32: {_REMEDY}")


def prompts_to_npz(prompts: TextPrompts) -> bytes:
    """Serialise prompts to this module's file format."""
    file = BytesIO()
    np.savez(file, instance=prompts.instance, keypoints=prompts.keypoints)
    return file.getvalue()


def read_prompts(data: bytes, source: str) -> TextPrompts:
    """Read prompts from the bytes of an `.npz`; `source` names it in messages. Raises WeightsError."""
    _check_size(data, source)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return TextPrompts(_read_member(archive, "instance"), _read_member(archive, "keypoints"))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, KeyError, EOFError, OSError) as error:
        raise WeightsError(f"{source}: not a file of text prompts ({error}): {_REMEDY}") from error


def _read_member(archive: zipfile.ZipFile, name: str) -> NDArray[np.float32]:
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED or info.file_size > MAX_FILE_BYTES:
        raise ValueError(f"{name} is compressed, encrypted or too large")
    with archive.open(info) as member:
        shape, fortran, dtype = read_npy_header(cast(BinaryIO, member))
        if dtype != np.dtype("<f4") or fortran:
            raise ValueError(f"{name} is {dtype}, not float32 by rows")
        return np.frombuffer(member.read(), np.float32).reshape(shape)


def import_prompts(data: bytes, source: str) -> TextPrompts:
    """Convert the bytes of an official `clip_embedding_*.pkl`. Raises WeightsError for any other content."""
    _check_size(data, source)
    try:
        _check_opcodes(data)
        instance, keypoints = _PromptsUnpickler(BytesIO(data)).load()
        return TextPrompts(*(np.asarray(rows).astype(np.float32) for rows in (instance, keypoints)))
    except WeightsError:
        raise
    # A hostile pickle can make the machinery fail in any way; whatever it is, the file is refused.
    except Exception as error:
        raise WeightsError(f"{source}: not a pickle of two text features ({error}): {_REMEDY}") from error


def _check_size(data: bytes, source: str) -> None:
    if len(data) > MAX_FILE_BYTES:
        raise WeightsError(f"{source}: {len(data)} bytes, not a file of text prompts: {_REMEDY}")


def _check_opcodes(data: bytes) -> None:
    """Check the pickle without running it: nothing in it may set an object's state."""
    for opcode, _, position in pickletools.genops(data):
        if opcode.name not in _OPCODES:
            raise pickle.UnpicklingError(f"{opcode.name} at byte {position}")


def _load_storage(data: bytes) -> NDArray[Any]:
    """Stand-in for `torch.storage._load_from_bytes`: returns the values of one saved storage, whatever its device."""
    storage = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    return torch.tensor([], dtype=storage.dtype).set_(storage.untyped()).numpy()


def _rebuild(
    storage: NDArray[Any], offset: int, size: tuple[int, int], stride: tuple[int, int], *_: object
) -> NDArray[Any]:
    """Stand-in for `torch._utils._rebuild_tensor_v2`: returns rows x columns of a storage, contiguous."""
    rows, columns = size
    if offset < 0 or min(size) < 1 or (rows > 1 and stride[0] != columns) or stride[1] != 1:
        raise ValueError(f"a tensor of size {size}, strides {stride} at {offset}")
    return storage[offset : offset + rows * columns].reshape(rows, columns).copy()


# fmt: off
_OPCODES = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2",
    "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "MEMOIZE", "BINPUT", "BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE",
})
# fmt: on
"""What a tuple of tensors is pickled with under protocols 3 to 5 (module pickletools)."""

_ALLOWED: dict[tuple[str, str], Callable[..., object]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch.storage", "_load_from_bytes"): _load_storage,
}
"""All that a pickled pair of tensors refers to."""


class _PromptsUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return _ALLOWED[module, name]
