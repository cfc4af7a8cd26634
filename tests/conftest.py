"""What every test may ask for, and how tests are sorted: see docs/testing.md."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lp_ray.engine.liveportrait.fast.kernels import VARIABLE
from tests.goldens import CARRIED, Goldens
from tests.sorting import HEAVY, group_of, marks_of, weight_of

settings.register_profile("untimed", deadline=None)  # timings on shared machines are noise
settings.load_profile("untimed")

pytest_plugins = ["tests.side_by_side", "tests.generated", "tests.s3_server", "tests.running", "tests.official_weights"]

NEEDS_SHARED = "needs ../shared/"
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--goldens",
        type=Path,
        default=CARRIED,
        help="folder of reference numbers, of the form of tests/golden/data (see its README); may hold part of them",
    )
    parser.addoption("--shared", type=Path, default=SHARED, help="folder of real media and cases, by default ../shared")


def pytest_configure(config: pytest.Config) -> None:
    folder: Path = config.getoption("--goldens")
    if not folder.is_dir():
        raise pytest.UsageError(f"--goldens {folder}: there is no such folder")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses by them
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test its markers and, where several processes share the work (`-n 3`), its group and place."""
    for item in items:
        for name in marks_of(item):
            item.add_marker(name)
    if hasattr(config, "workerinput"):
        for item in items:
            if not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group(group_of(item)))
        heaviest: dict[str, int] = {}
        for item in items:
            group = _group(item)
            heaviest[group] = min(weight_of(item), heaviest.get(group, len(HEAVY)))
        items.sort(key=lambda item: heaviest[_group(item)])


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    assert mark is not None
    return str(mark.args[0])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped for want of ../shared, by module."""
    skipped = terminalreporter.stats.get("skipped", [])
    modules = Counter(report.location[0] for report in skipped if NEEDS_SHARED in str(report.longrepr))
    if modules:
        terminalreporter.section(f"{modules.total()} tests need ../shared, which is not here")
        for module, n in sorted(modules.items()):
            terminalreporter.line(f"{n:4} {module}")


@pytest.fixture(scope="session")
def goldens(request: pytest.FixtureRequest) -> Goldens:
    """The folder of reference numbers: the option --goldens, by default the carried ones."""
    return Goldens(request.config.getoption("--goldens"), request.config.getoption("--shared"))


@pytest.fixture(scope="session")
def media(request: pytest.FixtureRequest) -> Path:
    """Real portraits, clips and templates. The repository does not carry them: without them the test is skipped."""
    return _shared(request.config, "media")


@pytest.fixture(scope="session")
def cases(request: pytest.FixtureRequest) -> Path:
    """Small inputs that went wrong once, with their story in a README; skipped like `media`."""
    return _shared(request.config, "cases")


def _shared(config: pytest.Config, name: str) -> Path:
    folder: Path = config.getoption("--shared") / name
    if not folder.is_dir():
        pytest.skip(f"{NEEDS_SHARED}{name}: real material that the repository does not carry")
    return folder


@pytest.fixture(autouse=True)
def _unit_tests_start_no_ray(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a unit test that starts Ray: its module lacks `pytestmark = pytest.mark.ray`."""
    before = _ray_runs()
    yield
    if not before and request.node.get_closest_marker("unit"):
        assert not _ray_runs(), "a unit test must not start Ray: mark it with `ray`"


@pytest.fixture(autouse=True)
def _compiled_kernels_stay_where_they_were() -> Iterator[None]:
    """Forget where a test made torch keep its kernels: the process remembers, and the next test has another place."""
    before = os.environ.get(VARIABLE)
    yield
    if before is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = before


def _ray_runs() -> bool:
    ray = sys.modules.get("ray")
    return bool(ray and hasattr(ray, "is_initialized") and ray.is_initialized())
