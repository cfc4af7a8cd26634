"""All private names of Ray that the package uses, in one place. Check them when Ray is updated (last checked: 2.60)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray._private.accelerators import NvidiaGPUAcceleratorManager
from ray._private.utils import get_num_cpus
from ray.data import ActorPoolStrategy, Dataset


def count_cpus() -> float:
    """Return how many CPUs `ray.init` would find on this machine."""
    return float(get_num_cpus())


def count_gpus() -> float:
    """Return how many GPUs `ray.init` would find on this machine."""
    return float(NvidiaGPUAcceleratorManager.get_current_node_num_accelerators())


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
