"""The digital source type of a result: of a warp, of a network's picture, of such a face in a real picture."""

from __future__ import annotations

import pytest

from lp_ray.contract.origin import digital_source_type


@pytest.mark.parametrize(
    ("engine", "pasted_back", "said"),
    [
        ("preview", True, "algorithmicallyEnhanced"),
        ("preview", False, "algorithmicallyEnhanced"),
        ("liveportrait", False, "trainedAlgorithmicMedia"),
        ("liveportrait", True, "compositeWithTrainedAlgorithmicMedia"),
        ("somebody_elses", False, "trainedAlgorithmicMedia"),
    ],
)
def test_what_a_result_says_of_its_making(engine: str, pasted_back: bool, said: str) -> None:
    assert digital_source_type(engine, pasted_back) == said
