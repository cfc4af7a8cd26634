"""`lp-ray weights pull` as a user runs it, against a hub on this machine: what comes in, what is missing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

from lp_ray.models.artefacts import artefacts_of
from lp_ray.models.store import WeightStore
from tests.running import Ended, RunJob

from .hub import Hub, serve
from .test_convert import write_prompts

DONE, REFUSED, SOME_MISSING = 0, 2, 3
LANDMARKS = "liveportrait/landmark.onnx"
XPOSE = "liveportrait_animals/xpose.pth"
ANIMAL_F = "liveportrait_animals/base_models_v1.1/appearance_feature_extractor.pth"


class Folder(Mapping[str, bytes]):
    """Files under a folder, read when they are asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __getitem__(self, name: str) -> bytes:
        path = self._root / name
        if not path.is_file():
            raise KeyError(name)
        return path.read_bytes()

    def __iter__(self) -> Iterator[str]:
        return (str(path.relative_to(self._root)) for path in self._root.rglob("*") if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)


@pytest.fixture
def repository(tmp_path: Path, official: Path) -> Path:
    """What the hub serves, to be spoiled: files are links until replaced."""
    return Path(shutil.copytree(official, tmp_path / "repository", copy_function=os.link))


def pull(run_job: RunJob, hub: Hub, folder: Path, *arguments: str) -> Ended:
    """Run the job as on a machine that has never seen the hub. Hashes of seeded weights are not the published ones."""
    return run_job(
        *("weights", "pull", f"store={folder / 'store'}", "allow_other=true", *arguments),
        HF_ENDPOINT=hub.endpoint,
        HF_HOME=str(folder / "hub"),
        HF_HUB_OFFLINE="0",
    )


def test_all_that_people_need_comes_in(tmp_path: Path, repository: Path, run_job: RunJob) -> None:
    with serve(Hub(Folder(repository))) as hub:
        ended = pull(run_job, hub, tmp_path)
    assert ended.code == DONE, ended.output
    assert WeightStore(str(tmp_path / "store")).entries.keys() == {artefact.name for artefact in artefacts_of("human")}
    assert "missing" not in ended.output


def test_what_is_missing_is_told_and_what_came_first_is_held_to(
    tmp_path: Path, repository: Path, run_job: RunJob
) -> None:
    """Optional files that could not be had are named, with an exit code of their own; all else is in the store.

    The animals' networks have no published hash: the first pull records them, and a later one that brings others is
    refused and changes nothing.
    """
    (repository / LANDMARKS).unlink()
    write_prompts(tmp_path / "code", 9)
    arguments = ("variants=animal", f"resources={tmp_path / 'code'}")
    with serve(Hub(Folder(repository))) as hub:
        first = pull(run_job, hub, tmp_path, *arguments)
    assert first.code == SOME_MISSING, first.output
    missing = set(re.findall(r"^missing: (\S+) could not be had", first.output, re.MULTILINE))
    assert missing == {LANDMARKS, XPOSE, "src/utils/resources/clip_embedding_68.pkl"}
    store = WeightStore(str(tmp_path / "store"))
    assert store.entries.keys() == {a.name for a in artefacts_of("animal") if a.source not in missing}
    entry = store.entry("animal/F.safetensors")
    assert entry.origin == "unpinned"
    assert f"{ANIMAL_F}: no hash is published, so sha256 {entry.source_sha256} is recorded" in first.output

    state = torch.load(repository / ANIMAL_F, weights_only=True)
    (repository / ANIMAL_F).unlink()
    torch.save({key: tensor * 2 for key, tensor in state.items()}, repository / ANIMAL_F)
    (cached,) = (tmp_path / "hub").rglob(ANIMAL_F)
    cached.unlink()  # as on a machine that pulls for the first time
    with serve(Hub(Folder(repository))) as hub:
        again = pull(run_job, hub, tmp_path, *arguments)
    assert again.code == REFUSED and f"{ANIMAL_F} has the hash" in again.output
    assert "the store's lock has recorded" in again.output
    assert WeightStore(str(tmp_path / "store")).entry("animal/F.safetensors") == entry


def test_a_network_that_is_missing_refuses_the_whole_variant(tmp_path: Path, official: Path, run_job: RunJob) -> None:
    with serve(Hub({LANDMARKS: (official / LANDMARKS).read_bytes()})) as hub:
        ended = pull(run_job, hub, tmp_path, "variants=animal")
    assert ended.code == REFUSED, ended.output
    said = next(line for line in ended.output.splitlines() if line.startswith("refused: "))
    assert all(artefact.source in said for artefact in artefacts_of("animal") if artefact.required)
    assert not WeightStore(str(tmp_path / "store")).exists()
