"""The package as it is installed: one command, found from any folder, whatever that folder holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lp_ray
from jobs.help import commands
from tests.generated import Generated
from tests.running import REPOSITORY

COPIED = ("lp_ray", "jobs", "conf", "benchmarks", "pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this very tree."""
    tree, wheels = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheels")
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, tree / name, **({"ignore": ignored} if copy is shutil.copytree else {}))
    build = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", str(wheels), str(tree)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    return next(wheels.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed, beside the packages that it depends on."""
    target = tmp_path_factory.mktemp("installed")
    install = ["install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    return target


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of somebody's own Hydra project."""
    for name in ("conf", "jobs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not yours')\n")
    (tmp_path / "conf" / "animate.yaml").write_text("theirs: 1\n")
    return tmp_path


def typed(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [str(installed / "bin" / "lp-ray"), *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_only_one_name_lands_among_other_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert tops == {"lp_ray", f"lp_ray-{lp_ray.__version__}.dist-info"}


def test_version_and_commands(installed: Path, elsewhere: Path) -> None:
    assert typed(installed, elsewhere, "--version").stdout == f"lp_ray {lp_ray.__version__}\n"
    overview = typed(installed, elsewhere).stdout
    assert "animate" in overview and "weights" in overview
    module = subprocess.run(
        [sys.executable, "-m", "lp_ray", "--version"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert module.stdout == f"lp_ray {lp_ray.__version__}\n", module.stderr


@pytest.mark.parametrize("command", commands())
def test_every_command_loads_and_refuses_what_it_does_not_know(installed: Path, elsewhere: Path, command: str) -> None:
    ended = typed(installed, elsewhere, command, "outptu=x")
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert ended.stderr.startswith("refused: outptu=… is no setting"), ended.stderr


def test_a_pair_from_a_folder_with_a_foreign_conf(installed: Path, elsewhere: Path, generated: Generated) -> None:
    ended = typed(
        installed,
        elsewhere,
        *("animate", f"source={generated.portrait}", f"driving={generated.clip}", "end_s=0.2", "output=out"),
    )
    assert ended.returncode == 0, ended.stderr
    assert lp_ray.read_results(elsewhere / "out")["status"].to_pylist() == ["done"]
