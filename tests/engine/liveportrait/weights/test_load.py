"""A configured place gives the right weights with the right label, and is refused if it is incomplete."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from lp_ray import storage
from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.engine.liveportrait.networks import MODELS, Weights
from lp_ray.engine.liveportrait.weights.load import identify_weights, load_weights
from lp_ray.face.factory import LandmarkerSpec, create_landmarker
from lp_ray.models.cache import CACHE_VARIABLE
from lp_ray.models.store import WeightStore
from lp_ray.publish.convert import ImportRules, import_weights
from tests.face.insightface.drawn import Drawn, draw


@pytest.mark.parametrize("variant", ["human", "animal"])
def test_a_store_gives_back_every_tensor_of_every_model(
    official_store: WeightStore, full_weights: Weights, variant: str
) -> None:
    loaded = load_weights(official_store.uri, "full", variant)
    assert loaded.states.keys() == set(MODELS)
    for model in MODELS:
        assert loaded.states[model].keys() == full_weights[model].keys()
        for key, tensor in full_weights[model].items():
            assert torch.equal(loaded.states[model][key], tensor), (model, key)
    assert loaded.identity == identify_weights(official_store.uri, "full", variant)
    assert loaded.identity.label == f"other:{variant}"


def test_a_store_on_s3(
    s3_bucket: str, official: Path, full_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is fetched once per machine: the second actor of a node finds the local copy, even if the store
    changed."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    place = f"s3://{s3_bucket}/weights"
    import_weights(str(official), WeightStore(place), ImportRules(("human",), allow_other=True), lambda line: None)
    key = "up_1.conv_0.weight_orig"
    for _ in range(2):
        loaded = load_weights(place, "full", "human")
        assert torch.equal(loaded.states["G"][key], full_weights["G"][key])
        storage.delete_prefix(storage.join(place, "human"))


def test_an_imported_store_serves_the_insightface_detector(
    official_store: WeightStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names that an import gives are those that the detector asks for."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    spec = LandmarkerSpec("insightface", official_store.uri)
    face = Drawn(264, 200, 100, 200, 55)
    (found,) = create_landmarker(spec).detect(draw(512, 512, face))
    assert abs(found.points - face.points(203)).max() < 0.3


def test_a_flipped_byte_is_caught_before_the_engine_runs(official_store: WeightStore, tmp_path: Path) -> None:
    spoilt = Path(
        shutil.copytree(official_store.uri.removeprefix("file://"), tmp_path / "store", copy_function=os.link)
    )
    victim = spoilt / "human/F.safetensors"
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.unlink()
    victim.write_bytes(data)
    with pytest.raises(WeightsError, match=r"human/F\.safetensors is not what came in"):
        load_weights(str(spoilt), "full", "human")


def test_digests_tell_weights_apart(official_store: WeightStore) -> None:
    known = [
        identify_weights(*arguments)
        for arguments in (
            (official_store.uri, "full", "human"),
            (official_store.uri, "full", "animal"),
            ("seeded", "full", "human"),
            ("seeded", "tiny", "human"),
            ("seeded", "tiny", "animal"),
        )
    ]
    labels = ["other:human", "other:animal", "seeded:full", "seeded:tiny", "seeded:tiny"]
    assert [identity.label for identity in known] == labels
    assert len({(identity.digest, identity.variant) for identity in known}) == len(known)


def test_a_store_without_a_variant_says_how_to_add_it(official_store: WeightStore, tmp_path: Path) -> None:
    people = ((name, b"", entry) for name, entry in official_store.entries.items() if not name.startswith("animal/"))
    WeightStore(str(tmp_path)).write(people)
    with pytest.raises(WeightsError, match=r"has no animal/F\.safetensors: add it with lp-ray weights import"):
        identify_weights(str(tmp_path), "full", "animal")


@pytest.mark.parametrize(
    ("place", "size", "variant", "says"),
    [
        ("", "full", "human", "lp-ray weights pull"),
        ("/nowhere", "full", "human", "no weight store at .*lp-ray weights pull store="),
        ("/nowhere", "tiny", "human", "full size only"),
        ("seeded", "huge", "human", "engine.size='huge' must be one of full, tiny"),
        ("seeded", "tiny", "plant", "engine.variant='plant' must be one of human, animal"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_remedy(place: str, size: str, variant: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        identify_weights(place, size, variant)
