"""How long an engine takes from the start of its process to its first frame, and how much memory of the GPU it takes.

`python -m benchmarks.engine.start device=cuda precision=bf16 cache=FOLDER json=out.json`: each execution in a process
of its own, as an actor is. `compiled` runs twice: with no kernels in `cache`, and with those of the run before. Seeded
weights; a store's are read instead of made, which takes other seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lp_ray.models.cache import CACHE_VARIABLE

from ..command import command, named
from .arguments import parsed, save

Row = dict[str, Any]

STEADY = 4
"""Passes that are timed after the first frames."""


@dataclass(frozen=True)
class StartBench:
    """What is measured. `cache` is the folder for compiled kernels: empty for one that is removed afterwards."""

    device: str = "cpu"
    precision: str = "float32"
    batch: int = 8
    executions: tuple[str, ...] = ("eager", "graph", "compiled")
    size: str = "full"
    cache: str = ""


def child(bench: StartBench, started: float) -> Row:
    """Build the one engine of `bench` in this process, which was started at `started` (seconds since 1970)."""
    import torch

    from lp_ray.engine.liveportrait.config import network_size
    from lp_ray.engine.liveportrait.networks import load_networks
    from lp_ray.engine.liveportrait.placement import choose_device, choose_precision
    from lp_ray.engine.liveportrait.predictor import Predictor
    from lp_ray.engine.liveportrait.weights.seeded import SALTS, seeded_weights

    from .inputs import make_inputs

    imported = time.time()
    device, size = choose_device(bench.device), network_size(bench.size)
    networks = load_networks(size, seeded_weights(size, SALTS["human"]))
    weighed = time.time()
    execution: Any = bench.executions[0]
    made = Predictor(networks, device, choose_precision(bench.precision, device), bench.batch, execution)
    inputs = make_inputs(bench.batch)
    made.motion(inputs.crops)
    features = made.features(inputs.crops[:1])
    made.frames(features, inputs.x_s, inputs.x_d)
    first = time.time()
    for _ in range(STEADY):
        made.frames(features, inputs.x_s, inputs.x_d)
    row = {
        "import_s": imported - started,
        "weights_s": weighed - imported,
        "first_frame_s": first - started,
        "ms_a_frame": 1e3 * (time.time() - first) / (STEADY * bench.batch),
    }
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        row |= {
            "allocated_gb": torch.cuda.max_memory_allocated(device) / 1e9,
            "reserved_gb": torch.cuda.max_memory_reserved(device) / 1e9,
            "taken_gb": (total - free) / 1e9,
        }
    return row


def run(bench: StartBench) -> Row:
    """Measure every execution. Raises RuntimeError with the child's last words if one fails."""
    with TemporaryDirectory(prefix="lp_ray-start-") as folder:
        cache = Path(bench.cache or folder)
        if (cache / "kernels").exists():
            raise ValueError(f"{cache} holds kernels already: give an empty folder, or nothing is measured cold")
        rows = []
        for execution in bench.executions:
            for kept in (False, True) if execution == "compiled" else (False,):
                about = {"execution": execution, "kept_kernels": kept}
                rows.append(about | _child(bench, execution, cache))
                print(line(rows[-1]), flush=True)
    return {**vars(bench), "rows": rows}


def line(row: Row) -> str:
    """Return a row as text."""
    kernels = {False: "", True: ", kept kernels"}[row["kept_kernels"]]
    memory = (
        f"; GPU {row['allocated_gb']:.2f} GB of tensors, {row['taken_gb']:.2f} GB taken" if "taken_gb" in row else ""
    )
    return (
        f"{row['execution'] + kernels:24} first frames after {row['first_frame_s']:6.1f} s "
        f"(import {row['import_s']:.1f}, weights {row['weights_s']:.1f}); "
        f"then {row['ms_a_frame']:.2f} ms a frame{memory}"
    )


def _child(bench: StartBench, execution: str, cache: Path) -> Row:
    given = {name: str(value) for name, value in vars(bench).items() if name not in ("executions", "cache")}
    words = [*(f"{name}={value}" for name, value in given.items()), f"executions={execution}"]
    environment = {**os.environ, CACHE_VARIABLE: str(cache)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    command = [sys.executable, "-m", f"{__package__}.start", f"started={time.time()}", *words]
    done = subprocess.run(  # noqa: S603 - our own module
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{execution}: {done.stderr.strip()[-2000:]}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def main(arguments: Sequence[str]) -> None:
    """Measure, or be one of the measured: a child is told when it was started."""
    given = named(arguments)
    started, place = given.pop("started", ""), given.pop("json", "")
    bench = parsed(StartBench, given)
    if started:
        print(json.dumps(child(bench, float(started))))
        return
    save(place, run(bench))


if __name__ == "__main__":
    command(main)
