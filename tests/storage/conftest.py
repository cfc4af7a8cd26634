"""The same suite on local files and on a real S3 server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lp_ray import storage

NAMES = (
    "plain.jpg",
    "a(1).jpg",
    "a=b.jpg",
    "{a,b}.jpg",
    "x.jpg?v=1",
    "照片.jpg",
    "with space.jpg",
    "[1].jpg",
    "%41.jpg",
)


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A normalised, empty place to write to."""
    if request.param == "local":
        return storage.normalise(str(tmp_path / "root"))
    return f"s3://{request.getfixturevalue('s3_bucket')}/root"


@pytest.fixture
def filled(root: str) -> Callable[[str], str]:
    """A folder of files with awkward names, each holding its own name; gives the URI of one."""
    for name in NAMES:
        storage.put_bytes(storage.join(root, name), name.encode())
    return lambda name: storage.join(root, name)
