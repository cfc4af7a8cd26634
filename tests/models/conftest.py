"""The same suite on local files and on a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may live."""
    if request.param == "local":
        return str(tmp_path / "a store (1)")
    return f"s3://{request.getfixturevalue('s3_bucket')}/weights"
