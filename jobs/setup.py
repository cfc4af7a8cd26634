"""Turn a composed Hydra configuration into the values that the package works with."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import signal
from typing import Any, TypeVar

import ray
from omegaconf import DictConfig, OmegaConf

from jobs.plan_report import pool_lines
from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.options import PairOptions, make_options, option_names
from lp_ray.coordinator.reporting import Reporter
from lp_ray.engine.protocol import EngineSpec
from lp_ray.face.protocol import LandmarkerSpec
from lp_ray.output.lease import LeaseTimes
from lp_ray.output.sidecars.protocol import SIDECARS
from lp_ray.plan.devices import Devices
from lp_ray.plan.settings import Settings, StageSpec
from lp_ray.runtime.graph import graphs_of
from lp_ray.runtime.pools import GROWTH, Pools, derive_pools, let_grow, one_of_each
from lp_ray.runtime.ray_executor import RayExecutor
from lp_ray.runtime.ray_private import count_cpus, count_gpus
from lp_ray.stages.added import STAGES
from lp_ray.stages.contract import Bench


def plain(config: Any) -> Any:
    """Return a config node as plain containers."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def required(config: DictConfig, name: str) -> str:
    """Return a setting that has no default. Raises RefusedError if it is missing."""
    if OmegaConf.is_missing(config, name) or config[name] in (None, ""):
        raise RefusedError(f"{name}=… is missing (see --help)")
    return str(config[name])


def settings_from(config: DictConfig, output: str, templates: str) -> Settings:
    """Build the stages' settings. Raises RefusedError for a value of the wrong type or range."""
    limits = plain(config.limits)
    fraction, chunk = config.max_missing_fraction, config.chunk_frames
    if not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise RefusedError(f"max_missing_fraction={fraction!r} must be between 0 and 1")
    if not isinstance(chunk, int) or not 1 <= chunk <= 512:
        raise RefusedError(f"chunk_frames={chunk!r} must be a whole number between 1 and 512")
    span = config.get("span_chunks", Settings.span_chunks)
    if not isinstance(span, int) or not 1 <= span <= 1000:
        raise RefusedError(f"span_chunks={span!r} must be a whole number between 1 and 1000")
    stall = config.cluster.stall_s
    if isinstance(stall, bool) or not isinstance(stall, int | float) or stall <= 0:
        raise RefusedError(f"cluster.stall_s={stall!r} must be a positive number of seconds")
    bounds = {field.name: limits[field.name] for field in dataclasses.fields(Limits)}
    for name, bound in bounds.items():
        if not isinstance(bound, int | float) or bound <= 0:
            raise RefusedError(f"limits.{name}={bound!r} must be a positive number")
    return Settings(
        output=output,
        templates=templates,
        engine=_spec(EngineSpec, config.engine),
        landmarker=_spec(LandmarkerSpec, config.detector),
        animal_detector=_spec(LandmarkerSpec, config.get("xpose") or {"name": "xpose"}),
        subject=str(config.get("subject") or ""),
        limits=Limits(**bounds),
        max_missing_fraction=float(fraction),
        max_unexpected=_max_unexpected(config),
        chunk_frames=chunk,
        span_chunks=span,
        stages=_stages(config),
        sidecars=_sidecars(config),
    )


Spec = TypeVar("Spec", EngineSpec, LandmarkerSpec)


def _spec(kind: type[Spec], group: Any) -> Spec:
    """Build a spec: shared settings become its fields, all others are passed to the plugin unchanged."""
    values = plain(group)
    shared = {field.name for field in dataclasses.fields(kind)} - {"settings"}
    own = tuple(sorted((name, value) for name, value in values.items() if name not in shared))
    return kind(**{name: str(values[name] or "") for name in shared & values.keys()}, settings=own)


def _max_unexpected(config: DictConfig) -> int:
    most = config.get("max_unexpected", Settings.max_unexpected)
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise RefusedError(f"max_unexpected={most!r} must be a whole number, 0 or more")
    return most


def _stages(config: DictConfig) -> tuple[StageSpec, ...]:
    """Read the stages that the job adds: a list of names, or names with parameters. All names must be known."""
    given = plain(config.get("stages") or {})
    named: dict[str, Any] = dict.fromkeys(given, None) if isinstance(given, list) else given
    specs = tuple(StageSpec(str(name), tuple(sorted((values or {}).items()))) for name, values in named.items())
    for spec in specs:
        STAGES.get(spec.name)
    return specs


def _sidecars(config: DictConfig) -> tuple[str, ...]:
    given = plain(config.get("sidecars") or [])
    names = tuple(given.split(",") if isinstance(given, str) else map(str, given))
    for name in names:
        SIDECARS.get(name)
    return names


def policy_from(config: DictConfig) -> storage.Policy:
    """Build the allow-list of input URIs."""
    limits = plain(config.limits)
    return storage.Policy(
        schemes=frozenset(limits["schemes"]), prefixes=tuple(storage.normalise(p) for p in limits["prefixes"])
    )


def options_from(config: DictConfig) -> PairOptions:
    """Build the job's options of pairs. Raises RefusedError, which names the option."""
    return make_options({name: plain(config[name]) for name in option_names()}, "options")


def lease_times(config: DictConfig) -> LeaseTimes:
    """Return how long to wait for another job on the output, and after which silence this job counts as dead."""
    if config.on_busy not in ("stop", "wait"):
        raise RefusedError(f"on_busy={config.on_busy!r} must be stop or wait")
    if not isinstance(config.lease_s, int | float) or config.lease_s < 1:
        raise RefusedError(f"lease_s={config.lease_s!r} must be a number of seconds, 1 or more")
    return LeaseTimes(float(config.lease_s), math.inf if config.on_busy == "wait" else 0.0)


def start_ray(config: DictConfig) -> None:
    """Connect to the cluster, or start a new one on this machine.

    `local` always starts a new cluster, even if one is running here: that one may belong to somebody else.
    """
    address = str(config.cluster.address)
    if address == "auto" and os.environ.get("RAY_ADDRESS"):
        address = os.environ["RAY_ADDRESS"]
    arguments: dict[str, Any] = {"address": address, "logging_level": logging.ERROR, "log_to_driver": False}
    if address == "local":
        # Ray's C++ code prints a warning for every actor pool; its log files still get them.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        arguments |= {"num_cpus": config.cluster.num_cpus, "include_dashboard": False}
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**arguments)
        signal.signal(signal.SIGTERM, terminate)  # Ray's own handler would exit without a message
    except ConnectionError as error:
        raise RefusedError(f"cluster.address={address!r}: no Ray cluster answers there: {error}") from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # we raise and report its errors ourselves, once


def _totals(config: DictConfig) -> tuple[float, float]:
    """Return the cluster's CPUs and GPUs; for a cluster that is still to be started here, what Ray will find."""
    if ray.is_initialized():
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    return float(config.cluster.num_cpus or count_cpus()), count_gpus()


def pools_from(config: DictConfig, settings: Settings, devices: Devices) -> Pools:
    """Size the pools of a job's stages for the cluster.

    A cluster that this job starts never changes its size. Any other may grow, up to `cluster.num_cpus` and
    `cluster.num_gpus`, and shrink.
    """
    cpus, gpus = _totals(config)
    phases, overrides = graphs_of(settings).phases, plain(config.pools)
    _check_numbers(devices)

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


def _check_numbers(devices: Devices) -> None:
    """Refuse a numbered GPU: Ray chooses each actor's GPU, and the actor sees it as number 0."""
    for part, device in devices.items():
        if device.number:
            raise RefusedError(f"{part}={device}: Ray chooses each actor's GPU; use {part}=cuda")


def executor_from(config: DictConfig, bench: Bench, devices: Devices, reporter: Reporter) -> RayExecutor:
    """Return the executor on the cluster that `start_ray` connected to. Reports the pools."""

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
    """Return how many CPUs or GPUs the cluster may grow to. Raises RefusedError if it has none and no setting tells."""
    given: float | None = config.cluster[name]
    if given is None and there < 1:
        raise RefusedError(
            f"the cluster has {there:g} {name.removeprefix('num_').upper()} now: if it starts nodes on demand, say "
            f"what it may grow to with cluster.{name}=…"
        )
    return given or GROWTH * there
