"""Settings of the wrong type or range are refused, and the message names them."""

from __future__ import annotations

import hydra
import pytest

from jobs.groups import store_groups
from jobs.help import CONF
from jobs.setup import settings_from
from lp_ray.base.errors import RefusedError


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("cluster.stall_s=0", "cluster.stall_s=0 must be"),
        ("cluster.stall_s=never", "cluster.stall_s='never' must be"),
        ("chunk_frames=0", "chunk_frames=0 must be"),
        ("span_chunks=1.5", "span_chunks=1.5 must be"),
        ("span_chunks=true", "span_chunks=True must be"),
        ("max_unexpected=-1", "max_unexpected=-1 must be"),
        ("max_missing_fraction=2", "max_missing_fraction=2 must be"),
        ("limits.max_frames=0", "limits.max_frames=0 must be"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(setting: str, words: str) -> None:
    store_groups()
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        config = hydra.compose("animate", [setting])
    with pytest.raises(RefusedError, match=words):
        settings_from(config, "out", "out/templates")
