"""Read pickles from untrusted sources: plain containers and numeric numpy arrays, and nothing else.

No name in the pickle is ever imported. The few numpy names that pickled arrays use are replaced by stand-ins of this
module, which rebuild arrays from checked bytes. Numpy's own reconstruction is not safe to call: a forged dtype state
makes it read bytes as object pointers.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import InputTooLargeError, TemplateError

# fmt: off
OPCODES = frozenset({
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "NONE", "NEWTRUE", "NEWFALSE",
    "INT", "BININT", "BININT1", "BININT2", "LONG1", "FLOAT", "BINFLOAT",
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE", "LIST", "DICT", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "APPEND", "APPENDS", "SETITEM", "SETITEMS",
    "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
})
# fmt: on
"""Opcodes of pickle protocols 0 to 5 (module pickletools) that plain containers and arrays need."""

MEMO_OPCODES = frozenset({"PUT", "LONG_BINPUT"})

GLOBALS = {
    (module, name): stand_in
    for package in ("numpy.core", "numpy._core")
    for module, name, stand_in in (
        (f"{package}.multiarray", "_reconstruct", "reconstruct"),
        (f"{package}.multiarray", "scalar", "scalar"),
        (f"{package}.numeric", "_frombuffer", "frombuffer"),
        ("numpy", "ndarray", "ndarray"),
        ("numpy", "dtype", "dtype"),
    )
}
"""Names in arrays pickled by numpy < 2 and >= 2 (goldens, templates.json) -> our stand-in."""

DTYPES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})

MAX_AXES = 8

MAX_LEVELS = 100
"""Containers within containers; templates of the reference have 3. Python's own limit is not the same in every process:
torch's compiler raises it."""

FREE_OPCODES = 1000
BYTES_PER_OPCODE = 2
"""Limits the opcodes of a pickle: a single byte can create an object of up to 64 bytes in memory. Templates of the
reference have 3.5 to 4.4 bytes per opcode."""


def load_plain(data: bytes, max_bytes: int) -> Any:
    """Return the object pickled in `data`: dicts, lists, tuples, text, numbers and numeric arrays.

    Raises InputTooLargeError above `max_bytes`, TemplateError for any other content. Executes nothing and takes memory
    in proportion to `data`.
    """
    if len(data) > max_bytes:
        raise InputTooLargeError(f"a pickle of {len(data)} bytes, at most {max_bytes} are read")
    try:
        _check_opcodes(data)
        return _resolved(_Unpickler(io.BytesIO(data)).load(), {})
    except TemplateError:
        raise
    except Exception as error:  # forged bytes can make an unpickler raise nearly anything
        raise TemplateError(f"not a motion template: {type(error).__name__}: {error}") from error


def _check_opcodes(data: bytes) -> None:
    """Check the opcodes without running them: their kinds, and that `data` can hold their lengths and memo slots."""
    for count, (opcode, argument, position) in enumerate(pickletools.genops(data)):
        if opcode.name not in OPCODES:
            raise TemplateError(f"refused pickle: {opcode.name} at byte {position} has no place in a motion template")
        if opcode.name in MEMO_OPCODES and not 0 <= int(argument or 0) <= count:
            raise TemplateError(f"refused pickle: memo slot {argument} at byte {position}")
        if count > FREE_OPCODES + (position or 0) // BYTES_PER_OPCODE:
            raise TemplateError(f"refused pickle: {count} opcodes in {position} bytes")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        stand_in = GLOBALS.get((module, name))
        if stand_in is None:
            raise TemplateError(
                f"refused pickle: it names {f'{module}.{name}'[:80]}; a motion template holds numpy arrays "
                "and plain containers only"
            )
        return _Callable(stand_in)


@dataclass(slots=True)
class _Callable:
    """Stands for one numpy name. Each mention gets a new object, so that a pickle cannot change it for others."""

    name: str

    def __call__(self, *arguments: Any) -> Any:
        if self.name == "reconstruct":
            return _Array()
        if self.name == "dtype":
            return _Dtype(arguments[0])
        if self.name == "scalar":
            return _array(arguments[0], (), arguments[1]).item()
        if self.name == "frombuffer":
            data, dtype, shape, order = arguments
            return _array(dtype, shape, data, order)
        raise TemplateError("refused pickle: it calls numpy.ndarray")

    def __setstate__(self, state: object) -> None:
        raise TemplateError("refused pickle: it sets the state of a function")


@dataclass(slots=True)
class _Dtype:
    """A numeric dtype: its code, and its byte order once the state is known."""

    code: object
    order: Literal["<", ">", "=", "|"] = field(default="=", init=False)

    def __setstate__(self, state: Any) -> None:
        """Read numpy's state (version, byte order, subdtype, names, fields, ...) of a plain number."""
        order, *structure = state[1:5]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in structure):
            raise TemplateError("refused pickle: an array of anything but plain numbers")
        self.order = order

    def numpy(self) -> np.dtype[Any]:
        """Return the numpy dtype. Raises TemplateError unless it is a boolean, integer or float."""
        if not isinstance(self.code, str) or self.code not in DTYPES:
            raise TemplateError(f"refused pickle: an array of dtype {self.code!r}, numbers only")
        return np.dtype(self.code).newbyteorder(self.order)


@dataclass(slots=True)
class _Array:
    """An array that is being rebuilt."""

    value: NDArray[Any] | None = field(default=None, init=False)

    def __setstate__(self, state: Any) -> None:
        """Read numpy's state (version, shape, dtype, is_fortran, bytes)."""
        _, shape, dtype, is_fortran, data = state
        self.value = _array(dtype, shape, data, "F" if is_fortran else "C")


def _array(dtype: object, shape: object, data: object, order: object = "C") -> NDArray[Any]:
    """Rebuild an array after checking that `data` has exactly the declared size."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise TemplateError("refused pickle: an array without a numeric dtype or without bytes")
    plain = isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
    if not isinstance(shape, tuple) or not plain or len(shape) > MAX_AXES:
        raise TemplateError(f"refused pickle: an array of shape {str(shape)[:80]}")
    kind = dtype.numpy()
    if math.prod(shape) * kind.itemsize != len(data):
        raise TemplateError(f"refused pickle: {len(data)} bytes for an array {shape} of {kind}")
    values = np.frombuffer(data, kind).astype(kind.newbyteorder("="))
    return values.reshape(shape, order="F" if order == "F" else "C")


def _resolved(content: Any, done: dict[int, Any], level: int = 0) -> Any:
    """Replace stand-ins by the rebuilt arrays, in new containers, of which `level` are around this one.

    `done` holds what was already replaced, by id, so that an object with many references is visited only once.
    """
    if isinstance(content, _Array):
        if content.value is None:
            raise TemplateError("refused pickle: an array without content")
        return content.value
    if isinstance(content, _Callable | _Dtype):
        raise TemplateError("refused pickle: a numpy name where data belongs")
    if not isinstance(content, dict | list | tuple):
        return content
    if level > MAX_LEVELS:
        raise TemplateError("refused pickle: nested too deeply for a motion template")
    if id(content) not in done:
        if isinstance(content, dict):
            done[id(content)] = {key: _resolved(value, done, level + 1) for key, value in content.items()}
        else:
            done[id(content)] = type(content)(_resolved(value, done, level + 1) for value in content)
    return done[id(content)]
