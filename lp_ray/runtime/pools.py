"""How many actors each stage gets, and what each of them asks of the cluster.

The pools of one phase must fit the cluster together: Ray Data never yields a row from a graph whose last stage
cannot be scheduled.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace

from lp_ray.base.errors import RefusedError

ENGINE_STAGES = ("extract", "animate")
DETECTOR_STAGES = ("track", "source")
XPOSE_STAGES = ("source",)
ENCODER_STAGES = ("write",)
PHASES = {"templates": ("track", "extract"), "pairs": ("source", "animate", "write")}

# Ray may put all guests (detectors, NVENC's encoders) on one GPU, or spread them over all, before or after the
# engine's actors. With these shares every such choice leaves room for the rest, and no GPU gets two engine actors.
ENGINE_GPUS_BESIDE = 0.6
"""GPUs of an engine actor where guests use them too; 1 otherwise."""
GUEST_GPUS = 0.05
MAX_GUESTS = 8
"""Guests of one phase: what one GPU carries beside an engine, about 1 GB each."""


RAY_GRAINS = 10_000
"""Parts of a CPU that Ray counts in."""


GROWTH = 8
"""How many times its size a cluster is thought to grow to, where nobody says what it may grow to."""


@dataclass(frozen=True)
class Pool:
    """Actors of one stage; `cpus` and `gpus` are what each of them reserves.

    The pool begins with `actors`, keeps `least` of them and grows to `most`; None: it stays as it is.
    """

    actors: int
    cpus: float
    gpus: float = 0.0
    least: int | None = None
    most: int | None = None

    @property
    def ceiling(self) -> int:
        """The most actors that it ever has."""
        return self.most or self.actors


Pools = dict[str, Pool]
"""Stage name -> its pool."""


def derive_pools(
    cpus: float,
    gpus: float,
    device: str,
    overrides: Mapping[str, Mapping[str, float | None]] | None = None,
    detector_device: str = "cpu",
    encoder: str = "x264",
    xpose_device: str = "cpu",
) -> Pools:
    """Size the pools from the cluster's totals; `device` is the engine's.

    On a GPU device engine stages get one actor per GPU; on CPU the engine and the stages around it share the
    cores. Detectors on a GPU, X-Pose (in the source stage) on one, and the writers where any pair's encoder is nvenc,
    share one with the engine.
    `overrides[stage]` may set `actors`, `cpus` and `gpus`.
    Raises RefusedError when a phase cannot fit.
    """
    if detector_device == "cuda" and gpus <= 0:
        raise RefusedError("detector.device=cuda asks for a GPU, the cluster has none: use detector.device=cpu")
    if xpose_device == "cuda" and gpus <= 0:
        raise RefusedError("xpose.device=cuda asks for a GPU, the cluster has none: use xpose.device=cpu")
    if encoder == "nvenc" and gpus <= 0:
        raise RefusedError("encoder=nvenc asks for a GPU, the cluster has none: use encoder=x264")
    asked = {
        DETECTOR_STAGES: detector_device == "cuda",
        XPOSE_STAGES: xpose_device == "cuda",
        ENCODER_STAGES: encoder == "nvenc",
    }
    guests = {stage for stages, here in asked.items() if here for stage in stages}
    pools: Pools = {}
    for phase in PHASES.values():
        counts, here = _counts(phase, cpus, gpus, device), guests & set(phase)
        counts |= {stage: min(counts[stage], MAX_GUESTS // len(here)) for stage in here}
        share = min(1.0, math.floor(cpus * 0.9 / sum(counts.values()) * RAY_GRAINS) / RAY_GRAINS)
        for stage, actors in counts.items():
            pools[stage] = Pool(actors, share, _gpus(stage, device, guests))
    for stage, values in (overrides or {}).items():
        if stage not in pools:
            raise RefusedError(f"pools.{stage}: no such stage (stages: {', '.join(pools)})")
        given = {name: value for name, value in values.items() if value is not None}
        if unknown := set(given) - {"actors", "cpus", "gpus"}:
            raise RefusedError(f"pools.{stage}.{min(unknown)}: a pool has actors, cpus and gpus")
        pools[stage] = replace(pools[stage], **given)  # type: ignore[arg-type]
    _check_fit(pools, cpus, gpus)
    return pools


def let_grow(now: Pools, full: Pools, fixed: Collection[str] = ()) -> Pools:
    """Return pools that begin as `now`, follow nodes that leave down to one actor, and nodes that join up to `full`.

    Ray Data grows a pool while there is work and the cluster has room, and takes idle actors out of a pool whose
    share the cluster has no more. `fixed` stages keep the number of actors that the user gave them.
    """
    return {
        stage: pool if stage in fixed else replace(pool, least=1, most=max(pool.actors, full[stage].actors))
        for stage, pool in now.items()
    }


def one_of_each(pools: Pools, fixed: Collection[str] = ()) -> Pools:
    """Return what a cluster that has no nodes yet begins with: one actor a stage, whose demand makes nodes start."""
    return {stage: pool if stage in fixed else replace(pool, actors=1) for stage, pool in pools.items()}


def _gpus(stage: str, device: str, guests: set[str]) -> float:
    if stage in ENGINE_STAGES and device == "cuda":
        return ENGINE_GPUS_BESIDE if guests else 1.0
    return GUEST_GPUS if stage in guests else 0.0


def _counts(stages: tuple[str, ...], cpus: float, gpus: float, device: str) -> dict[str, int]:
    """Actors per stage: the heavy CPU stages share what the engine leaves."""
    whole = max(1, int(cpus))
    if device == "cuda":
        engine = max(1, int(gpus))
        spare = max(1, whole - engine)
        weights = {"track": 1.0, "source": 0.25, "write": 0.75}
        return {s: engine if s in ENGINE_STAGES else max(1, int(spare * weights[s])) for s in stages}
    weights = {"track": 0.9, "extract": 0.1, "source": 0.1, "animate": 0.5, "write": 0.4}
    return {s: max(1, int(whole * weights[s])) for s in stages}


def _check_fit(pools: Pools, cpus: float, gpus: float) -> None:
    for phase, stages in PHASES.items():
        for name, available in (("cpus", cpus), ("gpus", gpus)):
            needed = sum(pools[s].actors * asdict(pools[s])[name] for s in stages)
            if needed > available + 1e-6:
                asked = ", ".join(f"{s} {pools[s].actors} x {asdict(pools[s])[name]:g}" for s in stages)
                raise RefusedError(
                    f"the {phase} phase asks for {needed:g} {name} ({asked}), the cluster has {available:g}: "
                    f"lower pools.<stage>.actors or pools.<stage>.{name}"
                )
        if any(pools[s].actors < 1 for s in stages):
            raise RefusedError(f"the {phase} phase has a pool without actors")
        _check_beside(pools, stages)


def _check_beside(pools: Pools, stages: tuple[str, ...]) -> None:
    """Refuse shares of GPUs that fit in sum but, as Ray may place them, leave no GPU with room for the engine."""
    engine = next(stage for stage in stages if stage in ENGINE_STAGES)
    guests = [stage for stage in stages if stage != engine and pools[stage].gpus]
    taken, wanted = sum(pools[stage].actors * pools[stage].gpus for stage in guests), pools[engine].gpus
    if taken and taken + wanted > 1 + 1e-6:
        names = " and ".join(guests)
        raise RefusedError(
            f"the {names} actors ask for {taken:g} gpus and an {engine} actor for {wanted:g}: together they must "
            f"fit on one GPU, where Ray may put them; lower pools.{guests[0]}.actors, pools.{guests[0]}.gpus or "
            f"pools.{engine}.gpus"
        )
