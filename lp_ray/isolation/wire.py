"""Messages between a process and its child over pipes: a JSON header, and arrays of plain numbers or text.

Answers are never pickled: if an input takes control of the child, it must not be able to attack the parent that way.

    4 bytes     length of the header, little-endian
    header      UTF-8 JSON: {"fields": {...}, "arrays": [[name, dtype, shape], ...]}
    arrays      their bytes, one after the other, in C order
"""

from __future__ import annotations

import json
import math
import os
import select
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct("<I")
_MAX_HEADER = 16 << 20
_KINDS = "biufU"


@dataclass(frozen=True)
class Message:
    """Fields with JSON values, and named arrays."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class EndOfMessagesError(EOFError):
    """The other side closed its end of the pipe, perhaps in the middle of a message."""


class ForgedMessageError(ValueError):
    """The received bytes are not a valid message of this protocol."""


def send(fd: int, message: Message) -> None:
    """Write a whole message. Raises BrokenPipeError if nobody reads, ValueError for arrays of objects."""
    arrays = {name: np.ascontiguousarray(array) for name, array in message.arrays.items()}
    if bad := [name for name, array in arrays.items() if array.dtype.kind not in _KINDS]:
        raise ValueError(f"{bad[0]}: only numbers and text travel between processes")
    described = [[name, array.dtype.str, list(message.arrays[name].shape)] for name, array in arrays.items()]
    header = json.dumps({"fields": dict(message.fields), "arrays": described}).encode()
    _write(fd, memoryview(_LENGTH.pack(len(header)) + header))
    for array in arrays.values():
        _write(fd, memoryview(array.reshape(-1).view(np.uint8)))  # type: ignore[arg-type] # numpy's are buffers


def receive(fd: int, max_bytes: int, timeout_s: float | None = None) -> Message:
    """Read a message with at most `max_bytes` of arrays.

    Raises EndOfMessagesError, ForgedMessageError, or TimeoutError if the message is not complete after `timeout_s`.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    (length,) = _LENGTH.unpack(_read(fd, _LENGTH.size, deadline))
    if length > _MAX_HEADER:
        raise ForgedMessageError(f"a header of {length} bytes")
    try:
        header = json.loads(bytes(_read(fd, length, deadline)))
        fields, kinds = dict(header["fields"]), [_kind(*described) for described in header["arrays"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ForgedMessageError(f"a header that is none: {error}") from error
    if sum(math.prod(shape) * dtype.itemsize for _, dtype, shape in kinds) > max_bytes:
        raise ForgedMessageError(f"arrays of more than {max_bytes} bytes")
    arrays = {}
    for name, dtype, shape in kinds:
        data = _read(fd, math.prod(shape) * dtype.itemsize, deadline)
        arrays[name] = np.frombuffer(data, dtype).reshape(shape)
    return Message(fields, arrays)


def _kind(name: object, dtype: object, shape: object) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(name, str) or not isinstance(dtype, str) or not isinstance(shape, list):
        raise ForgedMessageError("an array without a name, a dtype or a shape")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ForgedMessageError(f"{name}: an impossible shape")
    kind = np.dtype(dtype)
    if kind.kind not in _KINDS or kind.itemsize == 0 or kind.subdtype is not None:
        raise ForgedMessageError(f"{name}: an array of {kind}")
    return name, kind, tuple(shape)


def _write(fd: int, data: memoryview) -> None:
    while len(data):
        data = data[os.write(fd, data) :]


def _read(fd: int, n_bytes: int, deadline: float | None) -> bytearray:
    buffer = bytearray(n_bytes)
    rest = memoryview(buffer)
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLHUP)
    while len(rest):
        wait_ms = None if deadline is None else (deadline - time.monotonic()) * 1000
        if wait_ms is not None and (wait_ms <= 0 or not poll.poll(wait_ms)):
            raise TimeoutError("no answer in time")
        n = os.readv(fd, [rest])
        if n == 0:
            raise EndOfMessagesError("the other side is gone")
        rest = rest[n:]
    return buffer
