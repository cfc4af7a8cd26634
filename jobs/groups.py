"""Groups of settings that derive from declarations: pools from the stages, engines and detectors from plugins.

They stand in Hydra's store beside the files in conf/, so that `engine=NAME` works for a plugin of another package, and
`pools.STAGE.actors=…` for every stage there is.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore

from lp_ray.base.registry import Registry
from lp_ray.engine.factory import ENGINES
from lp_ray.face.factory import DETECTORS
from lp_ray.runtime.graph import PAIRS, TEMPLATES
from lp_ray.runtime.pools import KNOBS
from lp_ray.stages.added import STAGES


def store_groups() -> None:
    """Put the groups that derive from declarations where Hydra finds them."""
    store = ConfigStore.instance()
    stages = [*(stage.name for graph in (TEMPLATES, PAIRS) for stage in graph.stages), *STAGES.names()]
    store.store("auto", {stage: dict.fromkeys(KNOBS) for stage in stages}, group="pools")
    _store_plugins(store, "engine", ENGINES)
    _store_plugins(store, "detector", DETECTORS)


def _store_plugins(store: ConfigStore, group: str, plugins: Registry[Any]) -> None:
    for name in plugins.foreign():
        store.store(name, {"name": name, **plugins.get(name).defaults}, group=group)
