"""Decides how many actors each stage gets, and how many CPUs and GPUs each actor reserves.

All pools of one phase must fit the cluster at the same time: Ray Data yields no row at all from a graph whose last
stage cannot be scheduled.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest
from lp_ray.plan.devices import ON_CPU, Devices, Part
from lp_ray.runtime.graph import Graph, StageType
from lp_ray.stages.contract import Task

# Ray may put all guests (detectors, NVENC's encoders) on one GPU, or spread them over all, before or after the
# engine's actors. With these shares, every placement leaves room for the rest, and no GPU gets two engine actors.
ENGINE_GPUS_BESIDE = 0.6
"""GPUs that an engine actor reserves if guests use the GPUs too; otherwise it reserves 1."""
GUEST_GPUS = 0.05
MAX_GUESTS = 8
"""The most guests in one phase: as many as one GPU can hold beside an engine, at about 1 GB each."""

RAY_GRAINS = 10_000
"""Ray counts CPUs in fractions of 1 / RAY_GRAINS."""

GROWTH = 8
"""Factor by which a cluster is assumed to grow if no maximum size is set."""

KNOBS = ("actors", "cpus", "gpus")
"""The settings of a pool."""

Overrides = Mapping[str, Mapping[str, float | None]]
"""Stage name -> the user's settings of its pool. A value of None is derived."""


@dataclass(frozen=True)
class Pool:
    """The actors of one stage. Each of them reserves `cpus` and `gpus`.

    The pool starts with `actors`, never shrinks below `least` and grows up to `most`. None: its size does not change.
    """

    actors: int
    cpus: float
    gpus: float = 0.0
    least: int | None = None
    most: int | None = None

    @property
    def ceiling(self) -> int:
        """The largest number of actors that the pool may have."""
        return self.most or self.actors


Pools = dict[str, Pool]
"""Stage name -> its pool."""


def derive_pools(
    phases: Sequence[Graph], cpus: float, gpus: float, devices: Devices, overrides: Overrides | None = None
) -> Pools:
    """Size the pools from the cluster's total CPUs and GPUs and from the stages' declarations.

    A task that reserves CPUs has a pool too: `actors` of its tasks are sure of their room.

    On GPUs, each engine stage gets one actor per GPU. On CPUs, the engine stage and the other stages share the cores. A
    stage that runs another part (a detector, an encoder) on a GPU is a guest: it shares a GPU with the engine.
    `overrides[stage]` may set `actors`, `cpus` and `gpus`. Raises RefusedError if a GPU is missing or a phase does not
    fit the cluster.
    """
    _check_gpus(gpus, devices)
    pools: Pools = {}
    for phase in phases:
        guests = {each.name for each in phase.workers if _is_guest(each, devices)}
        left = cpus * (1 - phase.finish.share)
        counts = {stage.name: _count(stage, left, gpus, devices) for stage in phase.stages}
        if phase.finish.share:
            counts[phase.finish.name] = max(1, int(cpus * phase.finish.share))
        counts |= {name: min(counts[name], max(1, MAX_GUESTS // len(guests))) for name in guests}
        share = min(1.0, math.floor(cpus * 0.9 / sum(counts.values()) * RAY_GRAINS) / RAY_GRAINS)
        anywhere = _has_guests(phases, devices)
        for each in phase.workers:
            pools[each.name] = Pool(counts[each.name], share, _gpus(each, devices, anywhere))
    pools = _overridden(pools, overrides or {})
    for phase in phases:
        _check_fit(phase, pools, cpus, gpus)
    return pools


def let_grow(now: Pools, full: Pools, fixed: Collection[str] = ()) -> Pools:
    """Return pools that start as `now`, shrink to one actor when nodes leave, and grow up to `full` when nodes join.

    Ray Data adds actors while there is work and the cluster has room. It removes idle actors when the cluster no longer
    has room for them. Stages in `fixed` keep the number of actors that the user set.
    """
    return {
        stage: pool if stage in fixed else replace(pool, least=1, most=max(pool.actors, full[stage].actors))
        for stage, pool in now.items()
    }


def one_of_each(pools: Pools, fixed: Collection[str] = ()) -> Pools:
    """Return pools with one actor per stage, for a cluster without nodes: this demand makes nodes start."""
    return {stage: pool if stage in fixed else replace(pool, actors=1) for stage, pool in pools.items()}


def _check_gpus(gpus: float, devices: Devices) -> None:
    for part, device in devices.items():
        if device.number:  # Ray gives each actor a GPU of its own choice, which is the actor's number 0
            raise RefusedError(f"{part}={device}: Ray chooses each actor's GPU; use {part}=cuda")
        if device.is_gpu and gpus <= 0:
            setting = "nvenc" if part is Part.ENCODER else device
            raise RefusedError(
                f"{part}={setting} asks for a GPU, the cluster has none: use {part}={ON_CPU.get(part, 'cpu')}"
            )


def _on_gpu(worker: StageType | Task, devices: Devices) -> set[Part]:
    return {part for part in worker.uses if part in devices and devices[part].is_gpu}


def _is_guest(worker: StageType | Task, devices: Devices) -> bool:
    return bool(_on_gpu(worker, devices) - {Part.ENGINE})


def _has_guests(phases: Sequence[Graph], devices: Devices) -> bool:
    return any(_is_guest(each, devices) for phase in phases for each in phase.workers)


def _gpus(worker: StageType | Task, devices: Devices, guests: bool) -> float:
    if Part.ENGINE in _on_gpu(worker, devices):
        return ENGINE_GPUS_BESIDE if guests else 1.0
    return GUEST_GPUS if _is_guest(worker, devices) else 0.0


def _count(stage: StageType, cpus: float, gpus: float, devices: Devices) -> int:
    """Return the number of actors of a stage. CPU stages share the cores that the engine actors leave."""
    whole = max(1, int(cpus))
    if not devices[Part.ENGINE].is_gpu:
        return max(1, int(whole * stage.share.on_cpu))
    engines = max(1, int(gpus))
    if Part.ENGINE in stage.uses:
        return engines
    return max(1, int(max(1, whole - engines) * stage.share.beside_gpus))


def _overridden(pools: Pools, overrides: Overrides) -> Pools:
    for stage, values in overrides.items():
        given = {name: value for name, value in values.items() if value is not None}
        if stage not in pools:
            if not given:  # a stage that only other jobs add
                continue
            raise RefusedError(f"pools.{stage}: no such stage{nearest(stage, pools)} (stages: {', '.join(pools)})")
        if unknown := set(given) - set(KNOBS):
            raise RefusedError(f"pools.{stage}.{min(unknown)}: a pool has {', '.join(KNOBS)}")
        pools = pools | {stage: replace(pools[stage], **given)}  # type: ignore[arg-type]
    return pools


def _check_fit(phase: Graph, pools: Pools, cpus: float, gpus: float) -> None:
    names = phase.pools
    for knob, available in (("cpus", cpus), ("gpus", gpus)):
        needed = sum(pools[name].actors * asdict(pools[name])[knob] for name in names)
        if needed > available + 1e-6:
            asked = ", ".join(f"{name} {pools[name].actors} x {asdict(pools[name])[knob]:g}" for name in names)
            raise RefusedError(
                f"the {phase.name} phase asks for {needed:g} {knob} ({asked}), the cluster has {available:g}: "
                f"lower pools.<stage>.actors or pools.<stage>.{knob}"
            )
    if any(pools[name].actors < 1 for name in names):
        raise RefusedError(f"the {phase.name} phase has a pool without actors")
    _check_beside(phase, pools)


def _check_beside(phase: Graph, pools: Pools) -> None:
    """Refuse GPU shares that fit in total, but that Ray may place so that no GPU has room left for the engine."""
    engine = phase.engine_stage
    guests = [name for name in phase.pools if name != engine and pools[name].gpus]
    taken, wanted = sum(pools[name].actors * pools[name].gpus for name in guests), pools[engine].gpus
    if taken and taken + wanted > 1 + 1e-6:
        names = " and ".join(guests)
        raise RefusedError(
            f"the {names} actors ask for {taken:g} gpus and an {engine} actor for {wanted:g}: together they must "
            f"fit on one GPU, where Ray may put them; lower pools.{guests[0]}.actors, pools.{guests[0]}.gpus or "
            f"pools.{engine}.gpus"
        )
