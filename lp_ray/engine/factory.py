"""Create engines from their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lp_ray.base.declared import check_declared, defaults, shared
from lp_ray.base.device import Device
from lp_ray.base.errors import RefusedError
from lp_ray.base.registry import Registry
from lp_ray.engine.protocol import Engine, EngineIdentity, EnginePlugin, EngineSpec

__all__ = [
    "ENGINES",
    "CreateEngine",
    "EngineIdentity",
    "EngineSpec",
    "create_engine",
    "identify_engine",
    "own_settings",
]

ENGINES: Registry[EnginePlugin] = Registry(
    "engine",
    "lp_ray.engines",
    {
        "preview": "lp_ray.engine.preview.plugin:PLUGIN",
        "liveportrait": "lp_ray.engine.liveportrait.plugin:PLUGIN",
    },
    extras={"liveportrait": "liveportrait"},
)
"""Engines by name: the values of the setting `engine`."""

CreateEngine = Callable[[EngineSpec], Engine]
"""How stages create their engine: `create_engine`, or a benchmark's own function."""


def own_settings(engine: str, given: Mapping[str, object]) -> dict[str, object]:
    """Return the settings that only this engine has, as given, or at their defaults.

    Raises RefusedError for an unknown engine, and for a name that it does not declare, or that all engines have.
    """
    fixed = shared(EngineSpec)
    if everyones := sorted(given.keys() & fixed):
        raise RefusedError(f"engine.{everyones[0]}: every engine has it: say it outside of the engine's own settings")
    own = {name: value for name, value in defaults(ENGINES.get(engine).settings).items() if name not in fixed}
    check_declared(given, own, "engine.")
    return {**own, **given}


def identify_engine(spec: EngineSpec) -> EngineIdentity:
    """Describe the engine that `create_engine` would build. Raises as `EnginePlugin.identify` does."""
    plugin = ENGINES.get_for_work(spec.name)
    Device.parse(spec.device, "engine.device")
    return plugin.identify(spec)


def create_engine(spec: EngineSpec) -> Engine:
    """Build the engine and load its weights. Raises as `EnginePlugin.create` does."""
    plugin = ENGINES.get_for_work(spec.name)
    Device.parse(spec.device, "engine.device")
    return plugin.create(spec)
