"""Official files become a store: checked against the published hashes, recorded in the lock."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lp_ray.base.errors import WeightsError
from lp_ray.face.xpose.identity import prompts_name
from lp_ray.face.xpose.prompts import read_prompts
from lp_ray.models.artefacts import ARTEFACTS, LICENCES, PINS, artefacts_of
from lp_ray.models.store import WeightStore
from lp_ray.publish.convert import ImportRules, import_weights

HUMAN = ImportRules(("human",))
F_SOURCE = "liveportrait/base_models/appearance_feature_extractor.pth"


def quiet(line: str) -> None:
    pass


@pytest.fixture
def copy(tmp_path: Path, official: Path) -> Path:
    """The official folder, its own to spoil: files are links until replaced."""
    return Path(shutil.copytree(official, tmp_path / "official", copy_function=lambda a, b: Path(b).hardlink_to(a)))


def test_the_lock_records_sources_hashes_and_licences(official_store: WeightStore, official: Path) -> None:
    names = {artefact.name: artefact for artefact in ARTEFACTS}
    required = {artefact.name for artefact in ARTEFACTS if artefact.required}
    assert required < official_store.entries.keys() and "shared/landmark.onnx" in official_store.entries
    for name, entry in official_store.entries.items():
        artefact = names[name]
        source = official / artefact.source
        assert entry.source == artefact.source and entry.licence == LICENCES[artefact.licence]
        assert entry.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        assert entry.source_size == source.stat().st_size
        assert entry.origin == ("other" if artefact.source in PINS else "unpinned")


def test_onnx_files_are_carried_as_they_are(official_store: WeightStore, official: Path) -> None:
    for artefact in (a for a in ARTEFACTS if a.kind == "onnx"):
        assert official_store.read(artefact.name) == (official / artefact.source).read_bytes()


def test_every_published_hash_is_known_and_belongs_to_a_file() -> None:
    assert PINS.keys() <= {artefact.source for artefact in ARTEFACTS}
    assert all(len(pin.sha256) == 64 and pin.size > 10_000 for pin in PINS.values())
    prompts = {artefact.source for artefact in ARTEFACTS if artefact.kind == "prompts"}
    assert {a.source for a in artefacts_of("human")} | prompts == PINS.keys()


def test_other_files_than_the_published_ones_need_a_word(tmp_path: Path, official: Path) -> None:
    store = WeightStore(str(tmp_path))
    with pytest.raises(WeightsError) as refused:
        import_weights(str(official), store, HUMAN, quiet)
    message = str(refused.value)
    pin = PINS[F_SOURCE]
    assert F_SOURCE in message and pin.sha256 in message and str(pin.size) in message and "allow_other=true" in message
    assert not store.exists()


def test_a_variant_comes_in_whole_or_not_at_all(tmp_path: Path, copy: Path) -> None:
    (copy / "liveportrait/base_models/spade_generator.pth").unlink()
    store = WeightStore(str(tmp_path / "store"))
    with pytest.raises(WeightsError, match=r"lacks liveportrait/base_models/spade_generator\.pth of the human"):
        import_weights(str(copy), store, ImportRules(("human",), allow_other=True), quiet)
    assert not (tmp_path / "store").exists()


def test_an_empty_place_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="give the folder that holds liveportrait/"):
        import_weights(str(tmp_path), WeightStore(str(tmp_path / "store")), HUMAN, quiet)


def test_a_source_that_changed_since_the_lock_needs_a_word(
    tmp_path: Path, copy: Path, official_store: WeightStore
) -> None:
    """Animals' files have no published hash: the store's own lock pins them."""
    shutil.copytree(official_store.uri.removeprefix("file://"), tmp_path / "store", copy_function=os.link)
    rules, landmark = ImportRules(("human",), allow_other=True), copy / "liveportrait/landmark.onnx"
    landmark.unlink()
    landmark.write_bytes(b"another")
    again = WeightStore(str(tmp_path / "store"))
    with pytest.raises(WeightsError, match=r"lock has recorded .* replace=true"):
        import_weights(str(copy), again, rules, quiet)
    assert again.read("shared/landmark.onnx") == official_store.read("shared/landmark.onnx")
    import_weights(str(copy), again, ImportRules(("human",), allow_other=True, replace=True), quiet)
    assert WeightStore(str(tmp_path / "store")).read("shared/landmark.onnx") == b"another"


def test_licences_are_said_before_anything_comes_in(tmp_path: Path, copy: Path) -> None:
    (copy / "insightface/models/buffalo_l/2d106det.onnx").unlink()
    said: list[str] = []
    with pytest.raises(WeightsError):
        import_weights(str(copy), WeightStore(str(tmp_path / "store")), HUMAN, said.append)
    assert f"licence: {LICENCES['LivePortrait']}" in said and f"licence: {LICENCES['insightface']}" in said
    assert any("left out: insightface/models/buffalo_l/2d106det.onnx" in line for line in said)


def test_xpose_and_its_prompts_come_in_from_where_the_reference_keeps_them(tmp_path: Path, copy: Path) -> None:
    """The prompts lie in the code's repository, around `pretrained_weights`, or where `resources` says."""
    pretrained = tmp_path / "code" / "pretrained_weights"
    pretrained.parent.mkdir()
    copy.rename(pretrained)
    write_prompts(tmp_path / "code", 9)
    write_prompts(tmp_path / "elsewhere", 68)
    rules = ImportRules(("animal",), allow_other=True, resources=str(tmp_path / "elsewhere"))
    store, said = WeightStore(str(tmp_path / "store")), list[str]()
    import_weights(str(pretrained), store, rules, said.append)
    assert f"licence: {LICENCES['prompts']}" in said and f"licence: {LICENCES['LivePortrait']}" in said
    for n in (9, 68):
        prompts = read_prompts(store.read(prompts_name(n)), "stored")
        assert prompts.keypoints.shape == (n, 512) and np.array_equal(prompts.keypoints[:, 0], np.arange(n))
    assert store.entry(prompts_name(9)).origin == "other", "its hash is not the published one"


def write_prompts(folder: Path, n: int) -> None:
    """Write a pickle as the reference's code carries it, a row per keypoint that starts with its number."""
    keypoints = torch.zeros(n, 512, dtype=torch.float16)
    keypoints[:, 0] = torch.arange(n)
    path = folder / "src/utils/resources" / f"clip_embedding_{n}.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps((torch.ones(1, 512, dtype=torch.float16), keypoints)))
