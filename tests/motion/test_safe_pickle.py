"""The restricted unpickler: what it reads, and what it must refuse without running it."""

from __future__ import annotations

import os
import pickle
import struct
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lp_ray.base.errors import InputTooLargeError, TemplateError
from lp_ray.motion.safe_pickle import load_plain

LIMIT = 1 << 20
ARRAY = np.arange(6, dtype=np.float32).reshape(1, 2, 3)


def _global(module: str, name: str) -> bytes:
    return b"".join(b"\x8c" + bytes([len(s)]) + s.encode() for s in (module, name)) + b"\x93"


class _Reduce:
    """Pickles as a call of any function with any arguments."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        ARRAY,
        ARRAY.astype(">f8"),
        np.asfortranarray(ARRAY[0]),
        ARRAY[:, ::2],
        np.array(2.5, np.float16),
        np.zeros((0, 3), np.uint8),
        np.array([True, False]),
    ],
)
def test_numeric_arrays_come_back_equal(array: np.ndarray[Any, Any], protocol: int) -> None:
    back = load_plain(pickle.dumps({"a": [array], "b": (array, "text", 1, 2.5, None)}, protocol), LIMIT)
    for copy in (back["a"][0], back["b"][0]):
        np.testing.assert_array_equal(copy, array)
        assert copy.shape == array.shape and copy.dtype.kind == array.dtype.kind
    assert back["b"][1:] == ("text", 1, 2.5, None)


def test_both_spellings_of_numpy() -> None:
    """Files of numpy < 2 name numpy.core, those of numpy >= 2 numpy._core."""
    new = pickle.dumps(ARRAY, 4)
    name = b"numpy._core.multiarray"
    assert name in new
    start = new.index(name)
    old = new[: start - 1] + bytes([len(name) - 1]) + b"numpy.core.multiarray" + new[start + len(name) :]
    (length,) = struct.unpack("<Q", old[3:11])
    old = old[:3] + struct.pack("<Q", length - 1) + old[11:]
    np.testing.assert_array_equal(load_plain(old, LIMIT), ARRAY)


def test_numpy_scalars_become_numbers() -> None:
    back = load_plain(pickle.dumps([np.int64(25), np.float32(0.5)], 4), LIMIT)
    assert back == [25, 0.5] and [type(value) for value in back] == [int, float]


def test_code_is_refused_and_never_run(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    for call in (
        (os.system, f"touch {witness}"),
        (eval, f"open({str(witness)!r}, 'w')"),
        (exec, f"open({str(witness)!r}, 'w')"),
        (getattr, ARRAY, "tofile"),
        (np.save, str(witness), ARRAY),
        (np.fromfile, "/etc/passwd"),
    ):
        for protocol in (2, 4):
            with pytest.raises(TemplateError, match="refused pickle"):
                load_plain(pickle.dumps({"motion": [_Reduce(*call)]}, protocol), LIMIT)
    assert not witness.exists()


RECONSTRUCT = _global("numpy._core.multiarray", "_reconstruct")
NDARRAY = _global("numpy", "ndarray")
DTYPE = _global("numpy", "dtype")
EMPTY_ARRAY = RECONSTRUCT + NDARRAY + b"K\x00\x85C\x01b\x87R"
FLOAT32 = DTYPE + b"\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"

FORGED = {
    "attribute of an allowed name": _global("numpy", "ndarray.tofile"),
    "dunder of an allowed name": _global("numpy", "dtype.__class__"),
    "module behind numpy": _global("numpy.core.multiarray", "os"),
    "builtin": _global("builtins", "getattr"),
    "copyreg": _global("copyreg", "_reconstructor"),
    "extension registry": b"\x82\x01",
    "persistent id": b"N\x51",
    "object construction": NDARRAY + b")\x81",
    "class instantiation": b"(inumpy\nndarray\n",
    "a call of ndarray with a huge shape": NDARRAY + b"\x8a\x05\x00\x00\x00\x00\x40\x85\x85R",
    "state on a function": RECONSTRUCT + b"}\x8c\x08__code__Nsb",
    "array without content": EMPTY_ARRAY,
    "more shape than bytes": EMPTY_ARRAY
    + b"(K\x01\x8a\x05\x00\x00\x00\x00\x40K\x01\x86"
    + FLOAT32
    + b"\x89C\x04abcdtb",
    "negative shape": EMPTY_ARRAY + b"(K\x01J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86" + FLOAT32 + b"\x89C\x04abcdtb",
    "object array": EMPTY_ARRAY + b"(K\x01K\x01\x85" + DTYPE + b"\x8c\x02O8\x89\x88\x87R\x89C\x08abcdefghtb",
    "dtype with fields": DTYPE + b"\x8c\x02V8\x89\x88\x87R(K\x03\x8c\x01|N\x8c\x01a\x85}K\x08K\x01K\x3ftb",
    "dtype alone": FLOAT32,
    "name alone": NDARRAY,
    "a gigabyte of bytes, announced": b"\x8e" + struct.pack("<Q", 1 << 30),
    "an exabyte of bytearray, announced": b"\x96" + struct.pack("<Q", 1 << 60),
    "memo slot of four billion": b"Nr\xff\xff\xff\xff",
    "a list of a million empty dicts": b"(" + b"}" * 500_000 + b"l",
    "nested too deeply": b"]" * 900 + b"a" * 899,
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_streams_are_template_errors(name: str) -> None:
    with pytest.raises(TemplateError):
        load_plain(b"\x80\x04" + FORGED[name] + b".", LIMIT)


def test_a_list_within_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TemplateError, match="nested too deeply"):
        load_plain(pickle.dumps(loop), LIMIT)


def test_depth_is_limited_whatever_python_allows() -> None:
    """torch's compiler raises Python's limit for its whole process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 5000)
    try:
        for levels, refused in ((100, False), (102, True), (900, True)):
            nested = b"\x80\x04" + b"]" * levels + b"a" * (levels - 1) + b"."
            with pytest.raises(TemplateError, match="nested too deeply") if refused else nullcontext():
                load_plain(nested, LIMIT)
    finally:
        sys.setrecursionlimit(before)


def test_references_that_double_at_every_level_are_walked_once() -> None:
    """60 levels of [x, x]: 2^60 leaves by copy, 60 lists by reference."""
    content: list[Any] = []
    for _ in range(60):
        content = [content, content]
    assert len(load_plain(pickle.dumps(content), LIMIT)) == 2


def test_too_large_and_truncated() -> None:
    data = pickle.dumps([ARRAY] * 3)
    with pytest.raises(InputTooLargeError):
        load_plain(data, len(data) - 1)
    for cut in range(len(data)):
        with pytest.raises(TemplateError):
            load_plain(data[:cut], LIMIT)


def test_loading_leaves_the_module_as_it_was() -> None:
    """Attributes set on a name in one pickle do not reach the next."""
    poisoned = b"\x80\x04(" + RECONSTRUCT + b"N}\x8c\x04name\x8c\x05dtypes\x86bl."
    with pytest.raises(TemplateError):
        load_plain(poisoned, LIMIT)
    np.testing.assert_array_equal(load_plain(pickle.dumps(ARRAY), LIMIT), ARRAY)
