"""Pools always fit the cluster they are derived from."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.device import Device
from lp_ray.base.errors import RefusedError
from lp_ray.plan.devices import NVENC, Devices, Part
from lp_ray.runtime.graph import PAIRS, TEMPLATES
from lp_ray.runtime.pools import Overrides, Pools, derive_pools

PHASES = {graph.name: graph for graph in (TEMPLATES, PAIRS)}


def devices(engine: str, detector: str = "cpu", encoder: str = "x264") -> Devices:
    """Where the parts of a job run."""
    found = {Part.ENGINE: Device(engine), Part.DETECTOR: Device(detector)}
    return found | ({Part.ENCODER: NVENC} if encoder == "nvenc" else {})


def derive(cpus: float, gpus: float, engine: str, overrides: Overrides | None = None, **parts: str) -> Pools:
    return derive_pools((TEMPLATES, PAIRS), cpus, gpus, devices(engine, **parts), overrides)


@pytest.mark.parametrize("parts", [{"engine": "cuda:1"}, {"engine": "cuda", "detector": "cuda:1"}])
def test_a_numbered_gpu_is_refused_because_ray_chooses(parts: dict[str, str]) -> None:
    """For jobs and for the library alike: both derive their pools here."""
    with pytest.raises(RefusedError, match=r"device=cuda:1: Ray chooses each actor's GPU; use \w+\.device=cuda"):
        derive(8, 2, **parts)


@given(st.integers(1, 512), st.integers(1, 64), st.sampled_from(["cpu", "cuda"]))
def test_derived_pools_fit(cpus: int, gpus: int, device: str) -> None:
    pools = derive(cpus, gpus, device)
    for graph in PHASES.values():
        stages = [stage.name for stage in graph.stages]
        assert sum(pools[s].actors * pools[s].cpus for s in stages) <= cpus
        assert sum(pools[s].actors * pools[s].gpus for s in stages) <= gpus
        assert all(pools[s].actors >= 1 for s in stages)
    assert pools["animate"].gpus == (1.0 if device == "cuda" else 0.0)


@given(st.integers(1, 512), st.integers(1, 64), st.sampled_from(["cpu", "cuda"]), st.sampled_from([0.4, 0.5]))
def test_pools_leave_room_for_tasks_that_compute(cpus: int, gpus: int, device: str, share: float) -> None:
    """The tasks' pool fits beside the stages', and has about its share; without it nothing is reserved."""
    pairs = replace(PAIRS, finish=replace(PAIRS.finish, share=share))
    assert pairs.pools == (*PAIRS.pools, "finalize")
    pools = derive_pools((TEMPLATES, pairs), cpus, gpus, devices(device))
    assert sum(pools[name].actors * pools[name].cpus for name in pairs.pools) <= cpus
    assert pools["finalize"].actors == max(1, int(cpus * share)) and pools["finalize"].cpus > 0
    assert all(pools[name].actors >= 1 for name in pairs.pools)
    assert "finalize" not in derive(cpus, gpus, device)


@given(st.integers(1, 64), st.integers(1, 8), st.sampled_from(["cpu", "cuda"]), st.sampled_from(["cpu", "cuda"]))
def test_tasks_that_embed_faces_on_a_gpu_are_guests_there(cpus: int, gpus: int, engine: str, measures: str) -> None:
    """All of them find room on one GPU beside an engine, wherever Ray puts them."""
    task = replace(PAIRS.finish, share=0.5, uses=frozenset({Part.METRICS}))
    there = devices(engine) | {Part.METRICS: Device(measures)}
    pools = derive_pools((TEMPLATES, replace(PAIRS, finish=task)), cpus, gpus, there)
    finalize, animate = pools["finalize"], pools["animate"]
    assert (finalize.gpus > 0) == (measures == "cuda")
    assert finalize.actors * finalize.gpus + animate.gpus <= 1
    with pytest.raises(RefusedError, match=r"metrics_device=cuda asks for a GPU, .* none: use metrics_device=cpu"):
        derive_pools((TEMPLATES, PAIRS), cpus, 0, devices("cpu") | {Part.METRICS: Device("cuda")})


def test_a_gpu_device_without_gpus_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"engine\.device=cuda asks for a GPU, .* none: use engine\.device=cpu"):
        derive(8, 0, "cuda")


def test_overrides_are_taken_and_checked() -> None:
    assert derive(8, 0, "cpu", {"write": {"actors": 1, "cpus": None}})["write"].actors == 1
    with pytest.raises(RefusedError, match="lower pools"):
        derive(2, 0, "cpu", {"write": {"actors": 40}})
    with pytest.raises(RefusedError, match=r"pools\.wirte: no such stage"):
        derive(2, 0, "cpu", {"wirte": {"actors": 1}})
    with pytest.raises(RefusedError, match=r"pools\.write\.size"):
        derive(2, 0, "cpu", {"write": {"size": 1}})
    with pytest.raises(RefusedError, match="without actors"):
        derive(2, 0, "cpu", {"write": {"actors": 0}})


def test_a_detector_on_a_gpu_without_gpus_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"detector\.device=cuda .* the cluster has none: use detector\.device=cpu"):
        derive(8, 0, "cpu", detector="cuda")
    with pytest.raises(RefusedError, match=r"encoder=nvenc .* the cluster has none: use encoder=x264"):
        derive(8, 0, "cpu", encoder="nvenc")


@given(
    st.integers(1, 64),
    st.integers(1, 8),
    st.sampled_from(["cpu", "cuda"]),
    st.sampled_from(["templates", "pairs"]),
    st.sampled_from([("cuda", "x264"), ("cuda", "nvenc"), ("cpu", "nvenc")]),
    st.randoms(use_true_random=False),
)
def test_guests_and_engines_share_gpus_in_whatever_order_ray_places_them(
    cpus: int, gpus: int, device: str, phase: str, guests: tuple[str, str], random: Random
) -> None:
    """Every actor finds a GPU with room, and each GPU gets one engine actor, wherever the ones before it went."""
    detector, encoder = guests
    pools = derive(cpus, gpus, device, detector=detector, encoder=encoder)
    names = [stage.name for stage in PHASES[phase].stages]
    engine_stages = [stage.name for stage in PHASES[phase].stages if Part.ENGINE in stage.uses]
    assert sum(pools[s].actors * pools[s].cpus for s in names) <= cpus
    actors = [stage for stage in names for _ in range(pools[stage].actors) if pools[stage].gpus]
    asked = {Part.DETECTOR: detector == "cuda", Part.ENCODER: encoder == "nvenc"}
    wanted = {stage.name for stage in PHASES[phase].stages if any(asked.get(part) for part in stage.uses)}
    assert {stage for stage in actors if stage not in engine_stages} == wanted
    random.shuffle(actors)
    free = [1.0] * gpus
    engines = [0] * gpus
    for stage in actors:
        fitting = [gpu for gpu, room in enumerate(free) if room >= pools[stage].gpus - 1e-6]
        assert fitting, (stage, free)
        gpu = random.choice(fitting)
        free[gpu] -= pools[stage].gpus
        engines[gpu] += stage in engine_stages
    assert engines == [1 if device == "cuda" else 0] * gpus


def test_shares_that_may_leave_no_gpu_for_the_engine_are_refused() -> None:
    """2 x 0.4 and 2 x 0.6 fit two GPUs in sum, but not once both detectors have come to the same one."""
    shares = {"track": {"actors": 2, "gpus": 0.4}, "extract": {"gpus": 0.6}}
    with pytest.raises(RefusedError, match=r"track actors ask for 0\.8 gpus and an extract actor for 0\.6.*one GPU"):
        derive(8, 2, "cuda", shares, detector="cuda")
    assert derive(8, 2, "cuda", {"track": {"actors": 2, "gpus": 0.2}}, detector="cuda")["track"].gpus == 0.2
    assert derive(8, 2, "cuda", {"extract": {"gpus": 0.5}})["extract"].gpus == 0.5
