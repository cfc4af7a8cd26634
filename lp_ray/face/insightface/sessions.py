"""Open onnxruntime sessions on exactly the requested device."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import onnxruntime

from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.face.insightface.files import REMEDY

Device = Literal["cpu", "cuda"]

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

# The heuristic choice of convolutions is the same in every process and needs no search; without TF32 points on
# the GPU are those of the CPU to float32.
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}

_ERRORS_ONLY = 3

_GPU_REMEDY = "see `nvidia-smi` and `onnxruntime.print_debug_info()`, or use device=cpu"


def prepare_device(device: str) -> None:
    """Make `device` ready. Raises RefusedError, with the remedy, if the installed onnxruntime cannot use it."""
    if device not in ("cpu", "cuda"):
        raise RefusedError(f"device={device!r} must be cpu or cuda")
    available = onnxruntime.get_available_providers()
    if device == "cuda" and _CUDA not in available:
        raise RefusedError(
            f"device=cuda, but onnxruntime {onnxruntime.__version__} offers only {', '.join(available)}: the CPU "
            "package `onnxruntime`, which insightface drags in, shadows `onnxruntime-gpu`; run `pip uninstall -y "
            "onnxruntime onnxruntime-gpu`, then `pip install onnxruntime-gpu` last, or use device=cpu"
        )
    if device == "cuda":
        onnxruntime.preload_dlls()  # finds the CUDA libraries that torch brought along


def open_session(file: Path, device: Device, threads: int) -> onnxruntime.InferenceSession:
    """Load a model for a prepared `device`, with `threads` threads for the parts that run on the CPU.

    Raises WeightsError if the file is not a model, RefusedError if the device does not exist.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _ERRORS_ONLY
    providers = [(_CUDA, _CUDA_OPTIONS), _CPU] if device == "cuda" else [_CPU]
    try:
        # The fallback would print, and load the model on the CPU.
        session = onnxruntime.InferenceSession(file, options, providers=providers, enable_fallback=0)
    except RuntimeError as error:  # a provider's own; errors about the model are of classes without a common base
        raise RefusedError(f"device={device}: onnxruntime cannot use it: {error}; {_GPU_REMEDY}") from error
    except Exception as error:
        raise WeightsError(f"{file}: cannot be loaded: {error}; {REMEDY}") from error
    check_providers(session.get_providers(), device)
    return session


def check_providers(providers: list[str], device: Device) -> None:
    """Raise RefusedError if a session for CUDA runs on the CPU, because onnxruntime itself only logs that."""
    if device == "cuda" and providers[:1] != [_CUDA]:
        raise RefusedError(
            f"device=cuda, but onnxruntime {onnxruntime.__version__} runs on {', '.join(providers)}: it found no GPU, "
            f"or no CUDA and cuDNN libraries of the version it was built for; {_GPU_REMEDY}"
        )
