"""The official layout and a weight store, made once a session from seeded weights of full size.

Loaded as a plugin by `tests/conftest.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lp_ray.engine.liveportrait.config import FULL
from lp_ray.engine.liveportrait.networks import Weights
from lp_ray.engine.liveportrait.weights.checkpoint import STITCHING_ENTRIES
from lp_ray.engine.liveportrait.weights.seeded import seeded_weights
from lp_ray.models.artefacts import ARTEFACTS
from lp_ray.models.store import WeightStore
from lp_ray.publish.convert import ImportRules, import_weights
from tests.face.insightface.models import write_models


@pytest.fixture(scope="session")
def full_weights() -> Weights:
    return seeded_weights(FULL, "human0")


@pytest.fixture(scope="session")
def stitching_file(full_weights: Weights) -> Mapping[str, Mapping[str, Tensor]]:
    """The content of the published stitching file: three state dicts, keys wrapped."""
    return {
        entry: {f"module.{key}": tensor for key, tensor in full_weights[model].items()}
        for entry, model in STITCHING_ENTRIES.items()
    }


@pytest.fixture(scope="session")
def official(
    tmp_path_factory: pytest.TempPathFactory,
    full_weights: Weights,
    stitching_file: Mapping[str, Mapping[str, Tensor]],
) -> Path:
    """A folder as the hub repository lays it out; the animals' files are links to people's, the ONNX models small."""
    folder = tmp_path_factory.mktemp("official")
    models = write_models(tmp_path_factory.mktemp("models"))
    made: dict[str, Path] = {}
    for artefact in ARTEFACTS:
        path = folder / artefact.source
        path.parent.mkdir(parents=True, exist_ok=True)
        if artefact.kind == "stitching":
            torch.save(dict(stitching_file), path)
        elif artefact.model in made:
            os.link(made[artefact.model], path)
        elif artefact.kind == "network":
            made[artefact.model] = path
            torch.save(dict(full_weights[artefact.model]), path)  # type: ignore[index]
        elif artefact.kind == "onnx":
            os.link(models / artefact.name, path)
    return folder


@pytest.fixture(scope="session")
def official_store(tmp_path_factory: pytest.TempPathFactory, official: Path) -> WeightStore:
    """A store with both variants; its hashes are not the published ones. Tests leave it as it is."""
    made = WeightStore(str(tmp_path_factory.mktemp("store")))
    import_weights(str(official), made, ImportRules(allow_other=True), lambda line: None)
    return made
