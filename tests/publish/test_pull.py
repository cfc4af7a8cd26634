"""Downloads: from a hub that answers, from one that breaks off, and without one."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub.utils import _http

from lp_ray.base.errors import WeightsError
from lp_ray.models.artefacts import CODE_REPOSITORY, HUB_REVISION, artefacts_of
from lp_ray.publish.pull import download_official

from .hub import Hub, serve

LARGE = "liveportrait/base_models/spade_generator.pth"


@pytest.fixture
def files() -> dict[str, bytes]:
    """Every file of both variants, small, and some that nobody asked for."""
    names = [
        artefact.source for variant in ("human", "animal") for artefact in artefacts_of(variant) if artefact.in_hub
    ]
    extra = ["README.md", "docs/showcase.gif", "liveportrait_animals/base_models/spade_generator.pth"]
    return {name: name.encode() * 50 for name in [*names, *extra]} | {LARGE: bytes(range(256)) * 200_000}


def test_only_the_files_of_the_variant_are_fetched(tmp_path: Path, files: dict[str, bytes]) -> None:
    wanted = {artefact.source for artefact in artefacts_of("human")}
    with serve(Hub(files)) as hub:
        folder = download_official(["human"], tmp_path, endpoint=hub.endpoint)
        assert {name for method, name, _ in hub.requests if method == "GET"} == wanted
        hub.requests.clear()
        download_official(["human"], tmp_path, endpoint=hub.endpoint)
        assert not [name for method, name, _ in hub.requests if method == "GET"], "fetched again"
    assert all((folder / name).read_bytes() == files[name] for name in wanted)


def test_a_broken_download_resumes_where_it_stopped(tmp_path: Path, files: dict[str, bytes]) -> None:
    with serve(Hub(files, cut=LARGE)) as hub:
        try:
            folder = download_official(["human"], tmp_path, endpoint=hub.endpoint)
        except WeightsError:
            folder = download_official(["human"], tmp_path, endpoint=hub.endpoint)
        ranges = [asked for method, name, asked in hub.requests if method == "GET" and name == LARGE]
    assert (folder / LARGE).read_bytes() == files[LARGE]
    assert len(ranges) == 2 and ranges[1] is not None and not ranges[1].startswith("bytes=0-")


def test_the_pinned_commit_is_asked_for_and_another_on_request(tmp_path: Path, files: dict[str, bytes]) -> None:
    """The local hub knows the pinned commit alone: a branch's content may change under its name."""
    assert len(HUB_REVISION) == 40
    with serve(Hub(files)) as hub:
        assert download_official(["human"], tmp_path, endpoint=hub.endpoint) == tmp_path
        with pytest.raises(WeightsError, match=r"cannot download KlingTeam/LivePortrait at main .*RevisionNotFound"):
            download_official(["human"], tmp_path / "other", "main", endpoint=hub.endpoint)


def test_files_of_the_codes_repository_are_pinned_to_a_commit() -> None:
    assert re.fullmatch(
        r"https://raw\.githubusercontent\.com/KlingAIResearch/LivePortrait/[0-9a-f]{40}", CODE_REPOSITORY
    )


def test_without_a_way_to_the_hub_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After all its tries, between which the hub's client waits for 23 s in all: here it does not."""
    waited: list[float] = []
    monkeypatch.setattr(_http, "time", SimpleNamespace(**{**vars(time), "sleep": waited.append}))
    with pytest.raises(WeightsError, match=r"cannot download KlingTeam/LivePortrait .*lp-ray weights import input="):
        download_official(["human"], tmp_path, endpoint="http://127.0.0.1:9")
    assert sum(waited) > 1
