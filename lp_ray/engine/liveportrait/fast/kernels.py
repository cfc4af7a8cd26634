"""Where compiled kernels are kept, so that a machine compiles them once and not once an actor.

torch.compile keeps what it compiled in $TORCHINDUCTOR_CACHE_DIR; unless that is set, in the system's folder for
temporary files, which a container loses. Here it is a folder of this machine's cache, beside its copies of weights.
torch itself decides what may be used again (it compares graph, versions, device and options), and writes whole files or
none, so that actors may share the folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lp_ray.base.errors import RefusedError
from lp_ray.models.cache import CACHE_VARIABLE, cache_folder

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
"""torch's own. Who sets it keeps kernels there; so do Triton's, in a folder in it."""

_TORCHS_OWN = f"{tempfile.gettempdir()}/torchinductor_"
"""torch writes its default into the variable, as soon as anything imports its compiler: nobody has set that."""


def kernel_folder() -> Path:
    """Return the folder of this machine's compiled kernels."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given and not given.startswith(_TORCHS_OWN) else cache_folder() / "kernels"


def keep_kernels() -> Path:
    """Make torch.compile in this process keep its kernels in `kernel_folder`, and return that.

    Raises RefusedError if nothing can be written there.
    """
    folder = kernel_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
        reason = "not writable"
    except OSError as error:
        writable, reason = False, str(error.strerror)
    if not writable:
        raise RefusedError(
            f"cannot keep compiled kernels in {folder}: {reason}; set {CACHE_VARIABLE} or {VARIABLE} to a folder of "
            "this machine that can be written, or leave engine.execution=compiled out (or, on a GPU, set it to graph)"
        )
    os.environ[VARIABLE] = str(folder)
    return folder
