"""A job's stages on Ray: the cluster, its pools, and the executor. Only what runs there imports this module."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from omegaconf import DictConfig

from lp_ray.base.errors import RefusedError
from lp_ray.coordinator.job import Job
from lp_ray.coordinator.reporting import Reporter
from lp_ray.plan.devices import Devices
from lp_ray.plan.settings import Settings
from lp_ray.runtime.graph import graphs_of
from lp_ray.runtime.pools import GROWTH, Pools, derive_pools, let_grow, one_of_each
from lp_ray.runtime.ray_executor import RayExecutor, cluster_totals
from lp_ray.runtime.ray_private import KEEP_IDLE, count_cpus, count_gpus
from lp_ray.stages.contract import Bench

from .plan_report import pool_lines, work_lines
from .setup import plain


class OnRay:
    """Implements `jobs.runtime.Runtime`."""

    def __init__(self, config: DictConfig) -> None:
        self._config = config

    def check(self, settings: Settings, devices: Devices) -> None:
        if self._config.cluster.address == "local":
            pools_from(self._config, settings, devices)

    def start(self) -> None:
        start_ray(self._config)

    def executor(self, bench: Bench, devices: Devices, reporter: Reporter) -> RayExecutor:
        return executor_from(self._config, bench, devices, reporter)

    def outlook(self, job: Job) -> list[str]:
        if self._config.cluster.address != "local":
            start_ray(self._config)
        try:
            pools = pools_from(self._config, job.settings, job.devices)
        finally:
            ray.shutdown()
        return [
            *work_lines(job, {stage: pool.ceiling for stage, pool in pools.items()}),
            *pool_lines(pools, job.settings),
        ]

    def stop(self) -> None:
        ray.shutdown()


def start_ray(config: DictConfig) -> None:
    """Connect to the cluster, or start one of our own on this machine.

    `local` never joins a cluster that happens to run here: somebody else's leftovers are not ours.
    """
    address = str(config.cluster.address)
    if address == "auto" and os.environ.get("RAY_ADDRESS"):
        address = os.environ["RAY_ADDRESS"]
    arguments: dict[str, Any] = {"address": address, "logging_level": logging.ERROR, "log_to_driver": False}
    if address == "local":
        # Ray's C++ side warns of every actor pool on the terminal; its own log files keep all of it.
        for variable, value in {"RAY_BACKEND_LOG_LEVEL": "fatal", **KEEP_IDLE}.items():
            os.environ.setdefault(variable, value)
        arguments |= {"num_cpus": config.cluster.num_cpus, "include_dashboard": False}
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        with _quiet():
            ray.init(**arguments)
        signal.signal(signal.SIGTERM, terminate)  # Ray's own would leave without a word
    except ConnectionError as error:
        raise RefusedError(f"cluster.address={address!r}: no Ray cluster answers there: {error}") from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # its errors are raised, and said once, by us


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what Ray's C++ side says there about its own log level; everything else is passed on."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        terminal = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            said.seek(0)
            for line in said:
                if b"Set ray log level" not in line:
                    os.write(terminal, line)
            os.close(terminal)


def _totals(config: DictConfig) -> tuple[float, float]:
    """Return the cluster's CPUs and GPUs; of one that is still to be started here, what Ray is going to find."""
    if ray.is_initialized():
        return cluster_totals()
    return float(config.cluster.num_cpus or count_cpus()), count_gpus()


def pools_from(config: DictConfig, settings: Settings, devices: Devices) -> Pools:
    """Size the pools of a job's stages for the cluster.

    A cluster of our own has all that it will ever have. Any other may grow, to what `cluster.num_cpus` and
    `cluster.num_gpus` say, and shrink.
    """
    cpus, gpus = _totals(config)
    phases, overrides = graphs_of(settings).phases, plain(config.pools)

    def derive(cpus: float, gpus: float) -> Pools:
        return derive_pools(phases, cpus, gpus, devices, overrides)

    if str(config.cluster.address) == "local":
        return derive(cpus, gpus)
    fixed = {stage for stage, values in overrides.items() if values["actors"] is not None}
    wants_gpus = any(device.is_gpu for device in devices.values())
    wants_gpus = wants_gpus or any(values["gpus"] for values in overrides.values())
    empty = cpus < 1 or (wants_gpus and gpus < 1)
    full = derive(_limit(config, "num_cpus", cpus), _limit(config, "num_gpus", gpus) if wants_gpus else gpus)
    return let_grow(one_of_each(full, fixed) if empty else derive(cpus, gpus), full, fixed)


def executor_from(config: DictConfig, bench: Bench, devices: Devices, reporter: Reporter) -> RayExecutor:
    """Return what runs the stages, on the cluster that `start_ray` connected to; its pools are printed."""

    def pools() -> Pools:
        sized = pools_from(config, bench.settings, devices)
        for line in pool_lines(sized, bench.settings):
            reporter.note(line)
        return sized

    def resize() -> Pools:
        reporter.note("nodes of the cluster are gone: what is not whole yet begins anew on those that are left")
        return pools()

    return RayExecutor(bench, pools(), resize, float(config.cluster.stall_s))


def _limit(config: DictConfig, name: str, there: float) -> float:
    """Return how many CPUs or GPUs the cluster may grow to. Raises RefusedError where it has none and nobody says."""
    given: float | None = config.cluster[name]
    if given is None and there < 1:
        raise RefusedError(
            f"the cluster has {there:g} {name.removeprefix('num_').upper()} now: if it starts nodes on demand, say "
            f"what it may grow to with cluster.{name}=…"
        )
    return given or GROWTH * there
