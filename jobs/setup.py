"""From a composed configuration to the values the package works with."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import signal
from typing import Any

import ray
from omegaconf import DictConfig, OmegaConf
from ray._private.accelerators import NvidiaGPUAcceleratorManager
from ray._private.utils import get_num_cpus

from jobs.plan_report import pool_lines
from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.options import PairOptions, make_options, option_names
from lp_ray.coordinator.reporting import Reporter
from lp_ray.engine.factory import EngineIdentity, EngineSpec
from lp_ray.face.factory import LandmarkerSpec
from lp_ray.face.xpose.identity import XPoseSpec
from lp_ray.output.lease import LeaseTimes
from lp_ray.plan.settings import Settings
from lp_ray.runtime.pools import GROWTH, Pools, derive_pools, let_grow, one_of_each
from lp_ray.runtime.ray_executor import RayExecutor


def plain(config: Any) -> Any:
    """Return a config node as plain containers."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def required(config: DictConfig, name: str) -> str:
    """Return a setting that has no default. Raises RefusedError when it was not given."""
    if OmegaConf.is_missing(config, name) or config[name] in (None, ""):
        raise RefusedError(f"{name}=… is missing (see --help)")
    return str(config[name])


def settings_from(config: DictConfig, output: str, templates: str) -> Settings:
    """Build the stages' settings. Raises RefusedError for a value of the wrong kind or range."""
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
        engine=EngineSpec(**{name: str(value) for name, value in plain(config.engine).items()}),
        landmarker=LandmarkerSpec(**{name: str(value or "") for name, value in plain(config.detector).items()}),
        xpose=_xpose_from(config),
        subject=str(config.get("subject") or ""),
        limits=Limits(**bounds),
        max_missing_fraction=float(fraction),
        chunk_frames=chunk,
        span_chunks=span,
    )


def _xpose_from(config: DictConfig) -> XPoseSpec:
    """Read what finds animals; jobs without sources have no such settings."""
    values = plain(config.get("xpose") or {})
    for name, kinds in (("points", int), ("min_score", (int, float))):
        if name in values and (isinstance(values[name], bool) or not isinstance(values[name], kinds)):
            raise RefusedError(f"xpose.{name}={values[name]!r} must be a number")
    given: dict[str, Any] = values | ({"weights": str(values["weights"] or "")} if "weights" in values else {})
    return XPoseSpec(**given)


def policy_from(config: DictConfig) -> storage.Policy:
    """Build the allow-list of input URIs."""
    limits = plain(config.limits)
    return storage.Policy(
        schemes=frozenset(limits["schemes"]), prefixes=tuple(storage.normalise(p) for p in limits["prefixes"])
    )


def options_from(config: DictConfig) -> PairOptions:
    """Build the job's per-pair options. Raises RefusedError naming the option."""
    return make_options({name: plain(config[name]) for name in option_names()}, "options")


def lease_times(config: DictConfig) -> LeaseTimes:
    """Say how long to wait for another job's output, and how long one's own silence is borne."""
    if config.on_busy not in ("stop", "wait"):
        raise RefusedError(f"on_busy={config.on_busy!r} must be stop or wait")
    if not isinstance(config.lease_s, int | float) or config.lease_s < 1:
        raise RefusedError(f"lease_s={config.lease_s!r} must be a number of seconds, 1 or more")
    return LeaseTimes(float(config.lease_s), math.inf if config.on_busy == "wait" else 0.0)


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
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        arguments |= {"num_cpus": config.cluster.num_cpus, "include_dashboard": False}
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**arguments)
        signal.signal(signal.SIGTERM, terminate)  # Ray's own would leave without a word
    except ConnectionError as error:
        raise RefusedError(f"cluster.address={address!r}: no Ray cluster answers there: {error}") from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # its errors are raised, and said once, by us


def _totals(config: DictConfig) -> tuple[float, float]:
    """Return the cluster's CPUs and GPUs; of one that is still to be started here, what Ray is going to find."""
    if ray.is_initialized():
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        return resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    cpus = config.cluster.num_cpus or get_num_cpus()
    return float(cpus), float(NvidiaGPUAcceleratorManager.get_current_node_num_accelerators())


def pools_from(config: DictConfig, encoder: str = "x264", xpose_device: str = "cpu") -> Pools:
    """Size the pools for the cluster; `encoder` is nvenc where any pair's is, `xpose_device` cuda where
    X-Pose is needed there.

    A cluster of our own has all that it will ever have. Any other may grow, to what `cluster.num_cpus` and
    `cluster.num_gpus` say, and shrink.
    """
    cpus, gpus = _totals(config)
    device, overrides = str(config.engine.device), plain(config.pools)

    def derive(cpus: float, gpus: float) -> Pools:
        return derive_pools(cpus, gpus, device, overrides, str(config.detector.device), encoder, xpose_device)

    if str(config.cluster.address) == "local":
        return derive(cpus, gpus)
    fixed = {stage for stage, values in overrides.items() if values["actors"] is not None}
    wants_gpus = "cuda" in (device, str(config.detector.device), xpose_device) or encoder == "nvenc"
    wants_gpus = wants_gpus or any(values["gpus"] for values in overrides.values())
    empty = cpus < 1 or (wants_gpus and gpus < 1)
    full = derive(_limit(config, "num_cpus", cpus), _limit(config, "num_gpus", gpus) if wants_gpus else gpus)
    return let_grow(one_of_each(full, fixed) if empty else derive(cpus, gpus), full, fixed)


def executor_from(
    config: DictConfig,
    settings: Settings,
    engine: EngineIdentity,
    reporter: Reporter,
    encoder: str = "x264",
    xpose_device: str = "cpu",
) -> RayExecutor:
    """Return what runs the stages, on the cluster that `start_ray` connected to; its pools are printed."""

    def pools() -> Pools:
        sized = pools_from(config, encoder, xpose_device)
        for line in pool_lines(sized):
            reporter.note(line)
        return sized

    def resize() -> Pools:
        reporter.note("nodes of the cluster are gone: what is not whole yet begins anew on those that are left")
        return pools()

    return RayExecutor(settings, engine, pools(), resize, float(config.cluster.stall_s))


def _limit(config: DictConfig, name: str, there: float) -> float:
    """Return how many CPUs or GPUs the cluster may grow to. Raises RefusedError where it has none and nobody says."""
    given: float | None = config.cluster[name]
    if given is None and there < 1:
        raise RefusedError(
            f"the cluster has {there:g} {name.removeprefix('num_').upper()} now: if it starts nodes on demand, say "
            f"what it may grow to with cluster.{name}=…"
        )
    return given or GROWTH * there
