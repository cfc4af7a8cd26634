"""Pools always fit the cluster they are derived from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.errors import RefusedError
from lp_ray.pools import PHASES, derive_pools


@given(st.integers(1, 512), st.integers(1, 64), st.sampled_from(["cpu", "cuda"]))
def test_derived_pools_fit(cpus: int, gpus: int, device: str) -> None:
    pools = derive_pools(cpus, gpus, device)
    for stages in PHASES.values():
        assert sum(pools[s].actors * pools[s].cpus for s in stages) <= cpus
        assert sum(pools[s].actors * pools[s].gpus for s in stages) <= gpus
        assert all(pools[s].actors >= 1 for s in stages)
    assert pools["animate"].gpus == (1.0 if device == "cuda" else 0.0)


def test_a_gpu_device_without_gpus_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"asks for 1 gpus .* the cluster has 0"):
        derive_pools(8, 0, "cuda")


def test_overrides_are_taken_and_checked() -> None:
    assert derive_pools(8, 0, "cpu", {"write": {"actors": 1, "cpus": None}})["write"].actors == 1
    with pytest.raises(RefusedError, match="lower pools"):
        derive_pools(2, 0, "cpu", {"write": {"actors": 40}})
    with pytest.raises(RefusedError, match=r"pools\.wirte: no such stage"):
        derive_pools(2, 0, "cpu", {"wirte": {"actors": 1}})
    with pytest.raises(RefusedError, match=r"pools\.write\.size"):
        derive_pools(2, 0, "cpu", {"write": {"size": 1}})
    with pytest.raises(RefusedError, match="without actors"):
        derive_pools(2, 0, "cpu", {"write": {"actors": 0}})
