"""Parts that a plain installation goes without: who needs one and lacks it is told which extra brings it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.base.extras import EXTRAS, check_part, extra_of
from tests.generated import Generated
from tests.running import REPOSITORY

DISTRIBUTION = {"skimage": "scikit-image", "onnxruntime": "onnxruntime-gpu", "c2pa": "c2pa-python"}
"""Modules whose distribution has another name."""
ABSENT = sorted({module for modules in EXTRAS.values() for module in modules} | {"botocore", "aiobotocore"})
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({absent!r}))  # as if they were not installed
from jobs.command import main
main(sys.argv[1:])
"""


def plain(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a plain installation would: no extra is there."""
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})" + WITHOUT.format(absent=ABSENT)
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_extras_are_those_of_the_project_file() -> None:
    """Each module comes with the extra that names it, and with no plain installation."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    brought = {
        extra: {re.split(r"[<>=\\[]", requirement)[0] for requirement in requirements}
        for extra, requirements in project["optional-dependencies"].items()
    }
    plainly = {re.split(r"[<>=\\[]", requirement)[0] for requirement in project["dependencies"]}
    for extra, modules in EXTRAS.items():
        distributions = {DISTRIBUTION.get(module, module) for module in modules}
        assert distributions <= brought[extra], extra
        assert not distributions & plainly, extra


def test_a_part_that_is_there_passes_and_one_of_a_submodule_is_known() -> None:
    check_part("liveportrait", "this")
    assert extra_of("torch.nn") == "liveportrait"
    assert extra_of("numpy") is None


def test_a_missing_part_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(RefusedError, match=r"^this needs s3fs, which is not installed: pip install 'lp_ray\[s3\]'$"):
        check_part("s3", "this")


@pytest.mark.slow
def test_a_plain_installation_animates(tmp_path: Path, generated: Generated) -> None:
    """The preview engine on local files needs no extra: nothing on its way imports torch, insightface or s3fs."""
    words = ("animate", f"source={generated.portrait}", f"driving={generated.clip}", "end_s=0.2", "output=out")
    ended = plain(tmp_path, *words)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("engine=liveportrait", "engine.weights=seeded"), "engine=liveportrait needs torch"),
        (("detector=insightface",), "detector=insightface needs insightface"),
        (("output=s3://bucket/out",), "s3:// needs s3fs"),
    ],
)
def test_what_a_plain_installation_lacks(
    words: tuple[str, ...], refusal: str, tmp_path: Path, generated: Generated
) -> None:
    """One line, before any work, with the command that brings it."""
    given = {word.partition("=")[0]: word for word in ("output=out", *words)}
    ended = plain(tmp_path, "animate", f"source={generated.portrait}", f"driving={generated.clip}", *given.values())
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert ended.stderr.startswith(f"refused: {refusal}, which is not installed: pip install 'lp_ray[")
    assert ended.stderr.count("\n") == 1, ended.stderr


def test_weights_of_a_plain_installation(tmp_path: Path) -> None:
    ended = plain(tmp_path, "weights", "verify", "store=here")
    assert ended.returncode == 2 and "pip install 'lp_ray[liveportrait]'" in ended.stderr
