"""Turn a composed Hydra configuration into the values that the package works with."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lp_ray import storage
from lp_ray.base.declared import spec_of
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.edits import BY_NAME
from lp_ray.contract.input_filters import BY_STAGE, make_thresholds
from lp_ray.contract.measuring import Measuring, make_measuring, measuring_names
from lp_ray.contract.option_values import make_options
from lp_ray.contract.options import PairOptions, option_names
from lp_ray.contract.provenance import Provenance
from lp_ray.engine.protocol import EngineSpec
from lp_ray.face.protocol import LandmarkerSpec
from lp_ray.output.lease import LeaseTimes
from lp_ray.output.sidecars.protocol import SIDECARS
from lp_ray.plan.settings import Settings, StageSpec
from lp_ray.stages.added import STAGES

from .numbers import number, whole


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
    number("cluster.stall_s", config.cluster.stall_s, 0, above=True)  # on_ray.py uses it, when work has been planned
    return Settings(
        output=output,
        templates=templates,
        engine=spec_of(EngineSpec, plain(config.engine)),
        landmarker=spec_of(LandmarkerSpec, plain(config.detector)),
        animal_detector=spec_of(LandmarkerSpec, plain(config.get("xpose")) or {"name": "xpose"}),
        subject=str(config.get("subject") or ""),
        limits=limits_from(config),
        max_missing_fraction=number("max_missing_fraction", config.max_missing_fraction, 0, 1),
        max_unexpected=whole("max_unexpected", config.get("max_unexpected", Settings.max_unexpected), 0),
        chunk_frames=whole("chunk_frames", config.chunk_frames, 1, 512),
        span_chunks=whole("span_chunks", config.get("span_chunks", Settings.span_chunks), 1, 1000),
        stages=_stages(config),
        sidecars=_sidecars(config),
        **asdict(measuring_from(config)),
        require_consent=_switch(config, "require_consent"),
        provenance=_provenance(config),
    )


def limits_from(config: DictConfig) -> Limits:
    """Build the bounds on inputs. Raises RefusedError for one that is not a positive number."""
    limits = plain(config.limits)
    bounds = {field.name: limits[field.name] for field in dataclasses.fields(Limits)}
    for name, bound in bounds.items():
        number(f"limits.{name}", bound, 0, above=True)
    return Limits(**bounds)


def _provenance(config: DictConfig) -> Provenance:
    given = {name: config.get(f"provenance_{name}") for name in ("certificate", "key", "algorithm")}
    texts = {name: str(value) for name, value in given.items() if value is not None}
    texts |= {name: storage.normalise(texts[name]) for name in ("certificate", "key") if texts.get(name)}
    kind: Any = str(config.get("provenance", "none"))
    made = Provenance(kind, **texts)
    made.check()
    return made


def _switch(config: DictConfig, name: str) -> bool:
    value = config.get(name, False)
    if not isinstance(value, bool):
        raise RefusedError(f"{name}={value!r} must be true or false")
    return value


def _stages(config: DictConfig) -> tuple[StageSpec, ...]:
    """Read the stages that the job adds: a list of names, or names with parameters. All names must be known."""
    given = plain(config.get("stages") or {})
    named: dict[str, Any] = dict.fromkeys(given, None) if isinstance(given, list) else given
    if taken := sorted(named.keys() & BY_STAGE.keys()):
        raise RefusedError(f"stages={taken[0]}: set its thresholds as filter.{taken[0].partition('_')[2]}.…")
    named |= make_thresholds(plain(config.get("filter") or {}))
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


def measuring_from(config: DictConfig) -> Measuring:
    """Build the settings of labels and metrics; commands without them measure nothing. Raises RefusedError."""
    given = {name: plain(config[name]) for name in measuring_names() if name in config}
    if given.get("metrics_arcface"):
        given["metrics_arcface"] = storage.normalise(str(given["metrics_arcface"]))
    return make_measuring(given)


def policy_from(config: DictConfig) -> storage.Policy:
    """Build the allow-list of input URIs."""
    limits = plain(config.limits)
    try:
        prefixes = tuple(storage.normalise(prefix) for prefix in limits["prefixes"])
    except InputError as error:
        raise RefusedError(f"limits.prefixes: {error}") from error
    return storage.Policy(schemes=frozenset(limits["schemes"]), prefixes=prefixes)


def options_from(config: DictConfig) -> PairOptions:
    """Build the job's options of pairs. Raises RefusedError, which names the option."""
    given = {name: plain(config[name]) for name in option_names()}
    neutral = asdict(PairOptions())  # a control that is not typed is there too, and must not stand against edit=
    return make_options({n: v for n, v in given.items() if n not in BY_NAME or v != neutral[n]}, "options")


def lease_times(config: DictConfig) -> LeaseTimes:
    """Return how long to wait for another job on the output, and after which silence this job counts as dead."""
    if config.on_busy not in ("stop", "wait"):
        raise RefusedError(f"on_busy={config.on_busy!r} must be stop or wait")
    return LeaseTimes(number("lease_s", config.lease_s, 1), math.inf if config.on_busy == "wait" else 0.0)
