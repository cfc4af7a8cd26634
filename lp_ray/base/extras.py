"""Parts that are installed on request: `pip install 'lp_ray[s3]'`. What needs one and lacks it names the extra.

The extras themselves stand in pyproject.toml; tests/base/test_extras.py compares.
"""

from __future__ import annotations

import importlib.util

from lp_ray.base.errors import RefusedError

EXTRAS = {
    "liveportrait": ("torch", "huggingface_hub"),
    "insightface": ("insightface", "onnxruntime"),
    "s3": ("s3fs",),
    "provenance": ("c2pa",),
    "studio": ("gradio",),
    "demo": ("skimage", "insightface"),
}
"""Name of an extra -> the modules that it brings."""


def check_part(extra: str, what: str) -> None:
    """Raise RefusedError, which names the extra, if a module that `what` needs is not installed. Imports nothing."""
    for module in EXTRAS[extra]:
        if importlib.util.find_spec(module) is None:
            raise missing_part(module, what)


def missing_part(module: str, what: str) -> RefusedError:
    """Return the refusal for a module that is not installed."""
    extra = extra_of(module)
    remedy = f"pip install 'lp_ray[{extra}]'" if extra else f"pip install {module}"
    return RefusedError(f"{what} needs {module}, which is not installed: {remedy}")


def lacking(error: BaseException, what: str) -> RefusedError | None:
    """Return the refusal for a module that was not found and that an extra brings; None for any other error."""
    if isinstance(error, ModuleNotFoundError) and error.name and extra_of(error.name):
        return missing_part(error.name, what)
    return None


def extra_of(module: str) -> str | None:
    """Return the first extra that brings a module, by the name of its package or of a part of it."""
    top = module.partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)
