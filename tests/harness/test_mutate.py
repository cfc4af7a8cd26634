"""scripts/mutate.py: which changes it makes, what it says of them, and that one which no test notices is told."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.running import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "mutate.py"
RATES = "lp_ray/motion/rates.py"


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_each_mutant_changes_one_thing_and_no_annotation(mutate: ModuleType) -> None:
    """Comparisons, arithmetic, constants, conditions, min and max."""
    text = '''
def f(a: int = 3) -> "a < b":
    """1 < 2."""
    if not a >= 1:
        return min(a, -a)
    return a + 2
'''
    made = list(mutate.mutants(text))
    assert [(mutant.line, mutant.change) for mutant in made] == [
        (2, "3 -> 4"),
        (4, "if not a >= 1: return min(a, -a) -> if not not a >= 1: return min(a, -a)"),
        (4, "not a >= 1 -> not not a >= 1"),
        (4, "a >= 1 -> a > 1"),
        (4, "1 -> 2"),
        (5, "min -> max"),
        (5, "-a -> +a"),
        (6, "a + 2 -> a - 2"),
        (6, "2 -> 3"),
    ]
    assert len({mutant.source for mutant in made}) == len(made) - 1, "a condition turned round is said twice"
    for mutant in made:
        compile(mutant.source, "mutant", "exec")
        assert "'a < b'" in mutant.source and "1 < 2" in mutant.source


def test_a_planted_text_must_stand_in_its_file_once(mutate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\ny = 2\nz = 2\n")
    assert mutate.plant(tmp_path, "a.py", "y = 2", "y = 3") == 2
    assert (tmp_path / "a.py").read_text() == "x = 1\ny = 3\nz = 2\n"
    for old in (" = ", "q"):
        with pytest.raises(SystemExit, match="not once"):
            mutate.plant(tmp_path, "a.py", old, "")


@pytest.mark.slow
def test_the_test_that_noticed_is_named_and_a_survivor_is_counted() -> None:
    """The repository itself stays as it is."""
    before = (REPOSITORY / RATES).read_text()
    test = "tests/motion/test_rates.py::test_a_picture_takes_all_driving_frames"
    noticed = run(test, "--plant", RATES, "np.zeros(len(driving), np.intp)", "np.ones(len(driving), np.intp)")
    assert noticed.returncode == 0, noticed.stderr
    assert noticed.stdout.startswith(f"noticed  {RATES}:") and noticed.stdout.endswith(f"| {test}\n")
    survived = run(test, "--plant", RATES, "frames % n", "frames % (n + 1)")
    assert survived.returncode == 1 and survived.stdout.startswith(f"SURVIVED {RATES}:")
    assert (REPOSITORY / RATES).read_text() == before


@pytest.mark.slow
def test_a_module_that_cannot_be_imported_is_noticed() -> None:
    test = "tests/motion/test_rates.py"
    ended = run(test, "--plant", RATES, "class Length(NamedTuple):", "class Lengths(NamedTuple):")
    assert ended.returncode == 0 and ended.stdout.endswith(f"| {test}\n"), ended.stdout


@pytest.mark.slow
def test_tests_that_fail_anyway_are_no_measure() -> None:
    ended = run("tests/none.py", "--plant", RATES, "frames % n", "frames")
    assert ended.returncode != 0 and "does not pass without a mutant" in ended.stderr
