"""All private names of Ray that the package uses, in one place. Check them when Ray is updated (last checked: 2.60)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray._private.accelerators import NvidiaGPUAcceleratorManager
from ray._private.utils import get_num_cpus
from ray.data import ActorPoolStrategy, DataContext, Dataset

KEEP_IDLE = {"RAY_idle_worker_killing_time_threshold_ms": "60000"}
"""Environment of a Ray of our own: idle processes stay for a minute. By default they go after a second, and a finalize
task that finds none starts one, which takes a CPU for a second while engines wait."""


def count_cpus() -> float:
    """Return how many CPUs `ray.init` would find on this machine."""
    return float(get_num_cpus())


def count_gpus() -> float:
    """Return how many GPUs `ray.init` would find on this machine."""
    return float(NvidiaGPUAcceleratorManager.get_current_node_num_accelerators())


def hand_out_ahead(chunks: int) -> None:
    """Let an actor store so many chunks before the driver has taken the first; Ray Data counts them in its budget."""
    DataContext.get_current()._max_num_blocks_in_streaming_gen_buffer = chunks


def map_blocks(
    graph: Dataset,
    actor: Callable[..., Any],
    arguments: tuple[Any, ...],
    compute: ActorPoolStrategy,
    cpus: float,
    gpus: float,
    whole_blocks: bool,
) -> Dataset:
    """Add actors to a dataset. An actor is called with one row at a time, or with all rows of a block.

    `map_batches` cannot be used: if GPUs are requested, it needs a batch size, and it then gathers blocks to that size.
    """
    return graph.map_batches_internal(
        actor,
        fn_constructor_args=arguments,
        batch_size=None if whole_blocks else 1,
        batch_format="numpy",
        zero_copy_batch=True,
        compute=compute,
        num_cpus=cpus,
        num_gpus=gpus or None,
    )
