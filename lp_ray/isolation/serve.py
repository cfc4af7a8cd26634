"""The child process: `python -m lp_ray.isolation.serve MODULE:FUNCTION PARENT` answers requests until its parent ends.

FUNCTION takes a request (`Message`) and yields answers. An error of the input (`InputError`, MemoryError) becomes the
answer {"error": class name, "message": text}. Any other exception ends the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from lp_ray.base.errors import InputError
from lp_ray.isolation.wire import EndOfMessagesError, Message, receive, send

Handler = Callable[[Message], Iterator[Message]]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MAX_REQUEST = 1 << 31


def main(target: str, parent: str) -> None:
    """Answer requests from standard input. What libraries print goes to standard error, so it does not mix with
    answers."""
    _follow(int(parent))
    answers = os.dup(1)
    os.dup2(2, 1)
    module, _, name = target.partition(":")
    handler: Handler = getattr(importlib.import_module(module), name)
    with contextlib.suppress(EndOfMessagesError, BrokenPipeError):
        while True:
            _answer(handler, receive(0, _MAX_REQUEST), answers)


def _answer(handler: Handler, request: Message, answers: int) -> None:
    try:
        for answer in handler(request):
            send(answers, answer)
    except (InputError, MemoryError) as error:
        send(answers, Message({"error": type(error).__name__, "message": str(error)}))
    send(answers, Message({"end": True}))


def _follow(parent: int) -> None:
    """End this process when its parent ends. Let the kernel kill it before the parent if memory runs out."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main(*sys.argv[1:])
