"""Where the tests find what they share: goldens, media."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # timings on shared machines are noise
settings.load_profile("untimed")

pytest_plugins = ["tests.s3_server", "tests.running"]

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--goldens", type=Path, default=SHARED / "goldens", help="folder of reference numbers (see its README)"
    )


@pytest.fixture(scope="session")
def goldens(request: pytest.FixtureRequest) -> Path:
    """The folder of reference numbers: the option --goldens, ../shared/goldens by default."""
    folder: Path = request.config.getoption("--goldens")
    assert folder.is_dir(), f"no goldens at {folder}"
    return folder


@pytest.fixture(scope="session")
def media() -> Path:
    """Real portraits, clips and templates for tests."""
    folder = SHARED / "media"
    assert folder.is_dir(), f"no test media at {folder}"
    return folder


@pytest.fixture(scope="session")
def cases() -> Path:
    """Small inputs that were once read wrong."""
    folder = SHARED / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}")
    return folder
