"""`python -m deploy.render` as a user runs it, and the Dockerfile beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.check import problems
from deploy.render import main
from deploy.values import DEFAULT_VALUES, REPOSITORY, package_version, ray_version
from lp_ray.runtime.ray_private import KEEP_IDLE


def test_renders_and_says_what_next(tmp_path: Path) -> None:
    """Two files that read back sound, and the commands that use them."""
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.render", "--output", str(tmp_path / "out"), "--date", "2026-11-26"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert (
        f"--build-arg RAY_VERSION={ray_version()} -t registry.example.com/lp_ray:{package_version()} ." in ended.stdout
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rayjob.yaml", "schedule.yaml"]
    for path in (tmp_path / "out").iterdir():
        text = path.read_text()
        assert "&id" not in text
        assert [problem for manifest in yaml.safe_load_all(text) for problem in problems(manifest)] == []
    assert "manifests/2026-11-26/sources.parquet" in (tmp_path / "out" / "rayjob.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("retries: 2", "retries: many", "job.retries: 'many' must be int"),
        ("operator: Exists", "operator: [Exists]", "tolerations[0].operator: ['Exists'] is not of type"),
        ("pull_policy: IfNotPresent", "pull_policy: Sometimes", "'Sometimes' is none of Always, IfNotPresent"),
    ],
)
def test_wrong_values_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, reason: str
) -> None:
    text = DEFAULT_VALUES.read_text()
    assert old in text
    (tmp_path / "values.yaml").write_text(text.replace(old, new))
    code = main(["--values", str(tmp_path / "values.yaml"), "--output", str(tmp_path / "out")])
    assert code == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_shard_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path / "out"), "--shard", "1"]) == 2
    assert "shard 1: there are 1" in capsys.readouterr().err


def instructions() -> list[str]:
    """The Dockerfile's instructions, continued lines joined."""
    text = (REPOSITORY / "deploy" / "Dockerfile").read_text()
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_dockerfile_states_no_version_of_its_own() -> None:
    """Ray's version is given by the build command; packages come through the constraints; the user is not root."""
    lines = instructions()
    assert lines[:2] == ["ARG RAY_VERSION", "FROM rayproject/ray:${RAY_VERSION}-py311-gpu"]
    assert [line for line in lines if line.startswith("USER")][-1] == "USER ray"
    installs = [part for line in lines for part in line.split("&&") if "pip install" in part]
    assert len(installs) == 3
    assert all("--constraint constraints.txt" in part for part in installs)
    assert "onnxruntime-gpu" in installs[-1]


def test_the_image_keeps_idle_processes_as_our_own_ray_does() -> None:
    environment = dict(line.removeprefix("ENV ").split("=") for line in instructions() if line.startswith("ENV "))
    assert environment == KEEP_IDLE


def test_docker_context_holds_what_is_copied() -> None:
    """Everything that is copied exists and is let through by .dockerignore, which shuts out the rest."""
    copied = [
        word for line in instructions() if line.startswith("COPY") for word in line.split()[1:-1] if word[0] != "-"
    ]
    allowed = (REPOSITORY / ".dockerignore").read_text().split()
    assert "*" in allowed
    for name in copied:
        assert (REPOSITORY / name).exists(), name
        assert f"!{name}" in allowed, name
