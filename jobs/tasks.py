"""Where a command runs pieces of work that need no stage: in this process, or as tasks on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig

from lp_ray.base.errors import RefusedError
from lp_ray.gallery.making import Runner

RUNTIMES = ("inline", "ray")


def check_runtime(config: DictConfig) -> None:
    """Raise RefusedError unless `runtime` is one of RUNTIMES."""
    if config.runtime not in RUNTIMES:
        raise RefusedError(f"runtime={config.runtime!r} must be one of {', '.join(RUNTIMES)}")


@contextmanager
def runner(config: DictConfig) -> Iterator[Runner]:
    """Yield what runs the pieces. Raises RefusedError if the cluster does not answer."""
    if config.runtime != "ray":
        yield map
        return
    import ray  # only where it is asked for

    from lp_ray.runtime.ray_executor import cluster_totals
    from lp_ray.runtime.spread import spread

    from .on_ray import start_ray

    start_ray(config)
    try:
        yield lambda work, pieces: spread(work, pieces, max(1, int(cluster_totals()[0])))
    finally:
        ray.shutdown()
