"""Files as `torch.save` writes them, from anyone: read by torch's own safe unpickler, which runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

_MOST_REASON = 200


def load_pth(path: Path, *plain_classes: type) -> Any:
    """Return what a `.pth` holds: containers, plain values, tensors, and objects of `plain_classes`; on the CPU.

    Raises ValueError, with the reason in one line, for any other content.
    """
    try:
        with torch.serialization.safe_globals(list(plain_classes)):
            return torch.load(path, map_location="cpu", weights_only=True)
    # Fed with forged bytes, torch's unpickler raises nearly anything: the stack's IndexError, a tensor's TypeError.
    except Exception as error:
        reason = str(error).partition("\n")[0][:_MOST_REASON]
        raise ValueError(reason or type(error).__name__) from error
