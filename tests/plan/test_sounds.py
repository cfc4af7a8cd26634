"""Sounds beside performances: found on disk and in stores, in the key only where they are, refused where several."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lp_ray import storage
from lp_ray.contract.failure import Failure
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.media_kinds import NO_DRIVING, sounds_beside
from lp_ray.contract.options import PairOptions
from lp_ray.plan.inputs import Drivings, resolve_drivings
from lp_ray.plan.pairing import Pairs
from lp_ray.plan.planning import Identity, Plan, make_plan
from lp_ray.plan.sounds import find_sounds
from lp_ray.storage import Policy


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return storage.normalise(str(tmp_path / "tables"))
    return f"s3://{request.getfixturevalue('s3_bucket')}/tables"


def put(root: str, *names: str) -> list[str]:
    uris = [storage.join(root, name) for name in names]
    for uri in uris:
        storage.put_bytes(uri, b"x")
    return uris


def resolved(uris: list[str]) -> Drivings:
    return resolve_drivings(check_manifest(pa.table({"uri": uris}), "driving", "d"), Policy())


def test_which_names_a_sound_may_have() -> None:
    beside = sounds_beside("s3://b/talk.v2.PERF.csv")
    assert beside[:2] == ("s3://b/talk.v2.wav", "s3://b/talk.v2.flac") and len(beside) == 6
    for uri in ("file:///a.mp4", "file:///a.npz", NO_DRIVING, "https://x.org/nod.perf.csv", "file:///a.csv"):
        assert sounds_beside(uri) == ()


def test_a_table_has_the_sound_of_its_own_name(root: str) -> None:
    tables = put(root, "a.perf.csv", "b.perf.parquet", "c.perf.csv", "a b%.perf.csv", "clip.mp4")
    put(root, "a.wav", "b.opus", "c2.wav", "c.txt", "a b%.m4a", "clip.wav", "deep/c.wav")
    found = resolved(tables)
    assert not found.failures
    named = ["a.wav", "b.opus", None, "a b%.m4a", None]
    assert found.sounds.to_pylist() == [storage.join(root, name) if name else "" for name in named]
    assert found.with_sound.tolist() == [version != "" for version in found.sound_versions.to_pylist()]
    assert found[0].sound == storage.join(root, "a.wav") and found[0].sound_version and not found[2].sound


def test_several_sounds_fail_their_row_alone(root: str) -> None:
    tables = put(root, "a.perf.csv", "b.perf.csv")
    put(root, "a.wav", "a.mp3", "b.mp3")
    found = resolved(tables)
    failure = found.failures.pop(0)
    assert not found.failures and found[1].sound == storage.join(root, "b.mp3")
    assert (failure.error_class, failure.stage) == ("UnsupportedError", "plan")
    assert failure.error == "several sounds beside a.perf.csv: a.wav, a.mp3; keep the one that it is performed to"


def test_only_a_sound_that_is_there_is_in_a_key(tmp_path: Path) -> None:
    """Keys of tables without one are what they were. Another sound, a changed one and none are other keys."""
    root = storage.normalise(str(tmp_path))
    (table,) = put(root, "a.perf.csv")

    def key() -> str:
        made: str = resolved([table])[0].key
        return made

    silent = key()
    put(root, "b.wav")
    assert key() == silent
    sound = put(root, "a.wav")[0]
    path = Path(storage.local_path(sound) or "")
    first = key()
    os.utime(path, ns=(1, 1))
    changed = key()
    path.rename(path.with_suffix(".mp3"))
    renamed = key()
    path.with_suffix(".mp3").unlink()
    assert len({silent, first, changed, renamed}) == 4 and key() == silent


def test_a_row_that_has_failed_already_is_left_alone(tmp_path: Path) -> None:
    uris = put(storage.normalise(str(tmp_path)), "a.perf.csv", "a.wav", "a.mp3")
    before = Failure("plan", "MissingInputError", "gone")
    failures = {0: before}
    sounds, versions = find_sounds(pa.array(uris[:1]), failures)
    assert failures == {0: before} and sounds.to_pylist() == versions.to_pylist() == [""]


def test_options_of_sound_have_an_effect_only_beside_a_sound(tmp_path: Path) -> None:
    """A picture's performance without a sound has none to leave out; one with a sound keeps `audio` and its track."""
    root = storage.normalise(str(tmp_path))
    tables = put(root, "a.perf.csv", "b.perf.csv")
    put(root, "s.jpg", "b.wav")
    plan = _plan(root, tables, PairOptions(audio="none"), PairOptions(audio_track=1), PairOptions(audio="source"))
    silent, heard = (
        [plan.without_effect(pair) for pair in np.flatnonzero(plan.pairs.driving_index == driving).tolist()]
        for driving in (0, 1)
    )
    assert silent[0] == ["audio=none: neither a picture nor a motion template has sound"]
    assert silent[1] == ["audio_track=1: neither a picture nor a motion template has sound"]
    assert heard == [[], [], ["audio=source: the source is a picture, which has no sound"]]
    assert [plan.options(pair).audio for pair in np.flatnonzero(plan.pairs.driving_index == 1).tolist()] == [
        "none",
        "driving",
        "driving",
    ]


def _plan(root: str, tables: list[str], *options: PairOptions) -> Plan:
    sources = check_manifest(pa.table({"uri": [storage.join(root, "s.jpg")]}), "source", "s")
    drivings = check_manifest(pa.table({"uri": tables}), "driving", "d")
    n = len(tables) * len(options)
    index = np.arange(n)
    pairs = Pairs(np.zeros(n, np.int64), index // len(options), index % len(options), options)
    return make_plan(sources, drivings, None, pairs, Identity("e", "l"), Policy(), "preview")
