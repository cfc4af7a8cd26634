"""Which markers a test gets: by its folder, by the fixtures it uses, `unit` if by neither."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent

OF_FOLDER = {
    **{"golden": "golden", "faults": "fault", "fuzz": "fault", "cluster": "cluster"},
    **dict.fromkeys(("end_to_end", "harness", "acting"), "slow"),
}
SLOW = frozenset(
    {
        *("media/test_every_codec.py", "media/test_odd_clips.py", "media/test_sound.py", "media/test_isolated.py"),
        *("media/test_colours.py", "media/test_moving_pictures.py", "media/test_decode.py", "media/test_gather.py"),
        *("publish/test_pull.py", "contract/test_normalise.py", "dataset/test_export.py", "dataset/test_plan.py"),
    }
)
"""Modules that encode clips, wait for leases, or try thousands of cases: too long for `make check`."""
OF_FIXTURE = {
    "run_job": "ray",
    "head": "ray",
    "make_cluster": "ray",
    "running_ray": "ray",
    "official": "slow",
    "full_weights": "slow",
    "media": "slow",
    "cases": "slow",
    "s3_server": "s3",
    "s3_bucket": "s3",
}
KINDS = frozenset({*OF_FOLDER.values(), *OF_FIXTURE.values()})


def marks_of(item: pytest.Item) -> set[str]:
    """Return the markers that a test has not got yet and belongs to.

    A test that is parametrised over places asks for its bucket only when it runs: the parameter "s3" counts as well.
    """
    folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
    found = {OF_FIXTURE[name] for name in getattr(item, "fixturenames", ()) if name in OF_FIXTURE}
    found |= {OF_FOLDER[folder]} if folder in OF_FOLDER else set()
    found |= {"slow"} if folder and item.path.relative_to(TESTS).as_posix() in SLOW else set()
    parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
    if any(isinstance(value, str) and value == "s3" for value in parameters):
        found.add("s3")
    own = {mark.name for mark in item.iter_markers()}
    return found - own or ({"unit"} if not own & KINDS else set())


GROUP_OF_FIXTURE = {"official": "official weights", "full_weights": "official weights"}
"""Costly material of a session -> the group of tests that share it."""

HEAVY = ("cluster", "fault", "ray", "golden", "s3", "slow")
"""What takes long, longest first: with several processes it begins first, so that none is left alone at the end."""


def group_of(item: pytest.Item) -> str:
    """Return the group whose tests run in one process, one after another: a module, or tests that share material."""
    shared = [GROUP_OF_FIXTURE[name] for name in getattr(item, "fixturenames", ()) if name in GROUP_OF_FIXTURE]
    return shared[0] if shared else str(item.path.relative_to(TESTS) if item.path.is_relative_to(TESTS) else item.path)


def weight_of(item: pytest.Item) -> int:
    """Return a test's place in the order in which several processes take their work."""
    marks = {mark.name for mark in item.iter_markers()}
    return next((place for place, name in enumerate(HEAVY) if name in marks), len(HEAVY))
