"""Read pictures in a child process: a decoder that crashes, hangs or takes too much memory ends only that child.

The child starts once per process and reads one picture after the other. After a death, the next picture gets a new one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lp_ray.base import errors
from lp_ray.base.arrays import Image
from lp_ray.base.errors import (
    DecoderCrashedError,
    DecoderMemoryError,
    DecoderTimeoutError,
    InputError,
    UnreadableMediaError,
)
from lp_ray.base.limits import Limits
from lp_ray.isolation.child import Child, ChildDiedError, ForgedMessageError, Kind
from lp_ray.isolation.wire import Message
from lp_ray.media import images
from lp_ray.media.images import ImageInfo

_ATTEMPTS = 2  # a child that was killed from outside proves nothing about the picture: try again
_lock = threading.Lock()
_children: dict[tuple[int, int], Child] = {}


def read_image(path: Path, limits: Limits, alpha: bool = False) -> Image:
    """Read a picture as `media.images.read_image` does, in a child process.

    Raises what that raises, and DecoderCrashedError, DecoderTimeoutError or DecoderMemoryError.
    """
    pixels = _ask("read_alpha" if alpha else "read", path, limits).arrays.get("image")
    if pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != (4 if alpha else 3):
        raise UnreadableMediaError(f"{path.name}: the decoder gave no picture")
    return np.array(pixels)


def probe_image(path: Path, limits: Limits) -> ImageInfo:
    """Read a picture's header as `media.images.probe_image` does, in a child process. Raises as `read_image` does."""
    fields = _ask("probe", path, limits).fields
    return ImageInfo(int(fields["width"]), int(fields["height"]), str(fields["format"]), str(fields["mode"]))


def serve(request: Message) -> Iterator[Message]:
    """Answer a request, in the child process."""
    path, limits = Path(request.fields["path"]), Limits(**request.fields["limits"])
    if request.fields["what"] == "probe":
        yield Message(asdict(images.probe_image(path, limits)))
    else:
        yield Message({}, {"image": images.read_image(path, limits, request.fields["what"] == "read_alpha")})


def _ask(what: str, path: Path, limits: Limits) -> Message:
    request = Message({"what": what, "path": str(path.absolute()), "limits": asdict(limits)})
    with _lock:
        for attempt in range(_ATTEMPTS):
            try:
                (answer,) = _child(limits).ask(request, limits.picture_timeout_s)
                break
            except ChildDiedError as death:
                if death.crashed or attempt == _ATTEMPTS - 1:
                    raise DecoderCrashedError(f"{path.name}: the decoder {death} while it read this picture") from None
            except TimeoutError:
                raise DecoderTimeoutError(
                    f"{path.name}: not read after {limits.picture_timeout_s:g} s (limits.picture_timeout_s); the "
                    "decoder was stopped"
                ) from None
            except ForgedMessageError as error:
                raise UnreadableMediaError(f"{path.name}: the decoder gave no picture ({error})") from None
    if "error" in answer.fields:
        raise _error(answer, path, limits)
    return answer


def _child(limits: Limits) -> Child:
    """Return this process's own child: a forked process must not use its parent's."""
    key = os.getpid(), limits.decoder_bytes
    if key not in _children:
        _children[key] = Child(Kind(f"{__name__}:serve", bare=True, max_bytes=limits.decoder_bytes))
    return _children[key]


def _error(answer: Message, path: Path, limits: Limits) -> InputError:
    name, message = str(answer.fields["error"]), str(answer.fields["message"])
    if name == MemoryError.__name__:
        return DecoderMemoryError(
            f"{path.name}: reading it takes more than {limits.decoder_bytes:,} bytes of memory (limits.decoder_bytes)"
        )
    kind = getattr(errors, name, None)
    return kind(message) if isinstance(kind, type) and issubclass(kind, InputError) else UnreadableMediaError(message)
