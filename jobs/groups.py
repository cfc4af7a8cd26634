"""Groups of settings that are derived from declarations, so that no default is written twice.

They are in Hydra's store beside the files in conf/: the options of a pair, the limits of an input, a pool for every
stage, and a group for every engine and detector, including those of other packages.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hydra.core.config_store import ConfigStore

from lp_ray.acting.generate import Ranges
from lp_ray.base.declared import defaults
from lp_ray.base.limits import Limits
from lp_ray.base.registry import Registry
from lp_ray.contract.input_filters import BY_STAGE
from lp_ray.contract.input_filters import STAGES as INPUT_FILTERS
from lp_ray.contract.measuring import Measuring
from lp_ray.contract.options import PairOptions
from lp_ray.engine.factory import ENGINES
from lp_ray.face.factory import DETECTORS
from lp_ray.runtime.graph import PAIRS, TEMPLATES
from lp_ray.runtime.pools import KNOBS
from lp_ray.stages.added import STAGES
from lp_ray.stages.finalize import FINALIZE_PAIR
from lp_ray.storage.policy import DEFAULT_SCHEMES


def store_groups() -> None:
    """Add the derived groups to Hydra's store."""
    store = ConfigStore.instance()
    stages = [*(stage.name for graph in (TEMPLATES, PAIRS) for stage in graph.stages)]
    stages += [*STAGES.names(), FINALIZE_PAIR.name]
    store.store("default", asdict(PairOptions()), group="options", package="_global_")
    allowed = {"schemes": sorted(DEFAULT_SCHEMES), "prefixes": []}
    thresholds = {role: dict.fromkeys(BY_STAGE[stage]) for role, stage in INPUT_FILTERS.items()}
    store.store("none", thresholds, group="filter")
    store.store("none", asdict(Measuring()), group="measuring", package="_global_")
    store.store("default", asdict(Limits()) | allowed, group="limits")
    store.store("auto", {stage: dict.fromkeys(KNOBS) for stage in stages}, group="pools")
    store.store("natural", {name: _listed(value) for name, value in asdict(Ranges()).items()}, group="ranges")
    _store_plugins(store, "engine", ENGINES)
    _store_plugins(store, "detector", DETECTORS)
    store.store("default", {"name": "xpose", **defaults(DETECTORS.get("xpose").settings)}, group="xpose")


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _store_plugins(store: ConfigStore, group: str, plugins: Registry[Any]) -> None:
    for name in plugins.names():
        store.store(name, {"name": name, **defaults(plugins.get(name).settings)}, group=group)
