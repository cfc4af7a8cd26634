"""Mutation testing: small wrong changes, each of which some test must notice.

    python scripts/mutate.py lp_ray/motion/rates.py tests/motion/test_rates.py [tests …] [--limit 30] [--seed 1]
    python scripts/mutate.py tests/motion/test_rates.py [tests …] --plant lp_ray/motion/rates.py '% n' '% (n + 1)'

The first form makes the mutants of one module. The second plants one chosen mutant: the text that stands once in the
file is replaced; several `--plant` are planted together, for a fact that is written in several files.

Works on a copy of the repository in a temporary folder. Prints a line for each mutant (what it changes, and the first
test that noticed it) and a count; the exit code is the number of survivors, at most 100.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("lp_ray", "jobs", "conf", "tests", "docs", "scripts", "pyproject.toml")
PRELOADED = ("numpy", "scipy.linalg", "scipy.spatial.transform", "cv2", "hypothesis", "pytest", "torch", "pyarrow")
"""Imported once, before each mutant's process is forked: none of ours."""

MAX_FACTOR, MIN_S = 5.0, 30.0
"""A mutant that takes so many times as long as the unchanged module, and at least so long, is noticed too."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.MatMult: ast.Sub,
}
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any"}


TOO_SLOW = "its time limit"
"""What notices a mutant that does not end."""


@dataclass(frozen=True)
class Mutant:
    """One change: the line that it is made in, what it says, and the whole changed module."""

    line: int
    change: str
    source: str


@dataclass(frozen=True)
class Run:
    """One run of the tests: `failed` is the first test that did not pass, None when all of them passed."""

    failed: str | None
    seconds: float


class FirstFailure:
    """A plugin of pytest that writes the name of the first test or module that fails to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take note of a test."""
        self._note(report)

    def pytest_collectreport(self, report: Any) -> None:
        """Take note of a module that cannot be imported."""
        self._note(report)

    def _note(self, report: Any) -> None:
        if report.failed and not self._path.exists():
            self._path.write_text(report.nodeid)


def mutants(text: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's text. Annotations, docstrings and texts stay as they are."""
    count = sum(len(_changes(node)) for node in _targets(ast.parse(text)))
    for wanted in range(count):
        tree, seen = ast.parse(text), 0
        for node in _targets(tree):
            changes = _changes(node)
            if seen <= wanted < seen + len(changes):
                before = ast.unparse(node)
                _apply(node, changes[wanted - seen])
                after = ast.unparse(node)
                yield Mutant(getattr(node, "lineno", 0), f"{_short(before)} -> {_short(after)}", ast.unparse(tree))
                break
            seen += len(changes)


def _targets(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the nodes that may be changed."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (
                isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            ):
                yield child
                yield from _targets(child)


def _changes(node: ast.AST) -> list[object]:
    """Return what may be changed in a node, as values that `_apply` takes."""
    match node:
        case ast.Compare():
            return [(i, COMPARISONS[type(op)]) for i, op in enumerate(node.ops) if type(op) in COMPARISONS]
        case ast.BinOp() if type(node.op) in OPERATORS:
            return [OPERATORS[type(node.op)]]
        case ast.BoolOp():
            return [ast.And if isinstance(node.op, ast.Or) else ast.Or]
        case ast.UnaryOp(op=ast.USub() | ast.Not()) | ast.IfExp() | ast.If() | ast.While():
            return [None]
        case ast.Constant(value=bool() | int() | float()):
            return [_other(node.value)]
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in NAMES:
            return [NAMES[name]]
    return []


def _other(value: object) -> object:
    if isinstance(value, float):
        return value * 1.5 if value else 1.0
    return not value if isinstance(value, bool) else int(str(value)) + 1


def _apply(node: ast.AST, change: object) -> None:
    match node, change:
        case ast.Compare(), (int() as i, type() as kind):
            node.ops[i] = kind()
        case ast.BinOp() | ast.BoolOp(), type() as kind:
            node.op = kind()
        case ast.UnaryOp(), _ if isinstance(node.op, ast.USub):
            node.op = ast.UAdd()
        case ast.UnaryOp(), _:
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.Constant(), value:
            node.value = value  # type: ignore[assignment] # one of the kinds above
        case ast.Name(), str() as name:
            node.id = name
        case ast.Attribute(), str() as name:
            node.attr = name
        case ((ast.IfExp() | ast.If() | ast.While()), _):
            node.test = ast.UnaryOp(ast.Not(), node.test)


def _short(text: str) -> str:
    return " ".join(text.split())[:70]


def run_tests(root: Path, tests: list[str], limit_s: float) -> Run:
    """Run tests in a forked process until the first fails or the time is over."""
    started = time.monotonic()
    note = root.parent / "first_failure"
    note.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _be_pytest(root, tests, note)
    while time.monotonic() - started < limit_s:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            failed = note.read_text() if note.exists() else f"pytest's exit code {code}"
            return Run(failed if code else None, time.monotonic() - started)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return Run(TOO_SLOW, limit_s)


def _be_pytest(root: Path, tests: list[str], note: Path) -> NoReturn:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.setpgid(0, 0)
    os.chdir(root)
    sys.path[:0] = [str(root)]
    pytest = importlib.import_module("pytest")
    given = ["-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", *tests]
    os._exit(int(pytest.main(given, plugins=[FirstFailure(note)])))


def main() -> int:
    """Parse the command line, make the mutants and try them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("targets", nargs="+", help="a module and its tests; with --plant the tests alone")
    parser.add_argument("--limit", type=int, default=0, help="try so many, chosen by the seed; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", nargs=3, action="append", default=[], metavar=("FILE", "OLD", "NEW"))
    given = parser.parse_args()
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        root = Path(folder) / "repository"
        root.mkdir()
        for name in COPIED:
            source = ROOT / name
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, root / name, ignore=ignore) if source.is_dir() else shutil.copy(source, root / name)
        if (ROOT.parent / "shared").exists():
            (root.parent / "shared").symlink_to((ROOT.parent / "shared").resolve())
        if given.plant:
            return _try_planted(root, given.targets, given.plant)
        module, *tests = given.targets
        if not tests:
            parser.error("give a module and at least one file of tests")
        return min(100, _try_all(root, module, tests, given.limit, given.seed))


def plant(root: Path, file: str, old: str, new: str) -> int:
    """Replace a text that stands once in a file, and return its line. Raises SystemExit where it does not."""
    path = root / file
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{file}: {old!r} stands there {text.count(old)} times, not once")
    path.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


def _try_planted(root: Path, tests: list[str], planted: list[list[str]]) -> int:
    seconds = _unchanged(root, tests)
    said = [f"{file}:{plant(root, file, old, new)}: {_short(old)} -> {_short(new)}" for file, old, new in planted]
    return int(_survives(root, tests, seconds, " and ".join(said)))


def _unchanged(root: Path, tests: list[str]) -> float:
    run = run_tests(root, tests, 600.0)
    if run.failed:
        raise SystemExit(f"{run.failed}: does not pass without a mutant")
    return run.seconds


def _survives(root: Path, tests: list[str], seconds: float, said: str) -> bool:
    run = run_tests(root, tests, max(MIN_S, MAX_FACTOR * seconds))
    print(f"noticed  {said} | {run.failed}" if run.failed else f"SURVIVED {said}", flush=True)
    return run.failed is None


def _try_all(root: Path, module: str, tests: list[str], limit: int, seed: int) -> int:
    text = (ROOT / module).read_text()
    seconds = _unchanged(root, tests)
    chosen = list(mutants(text))
    n_all = len(chosen)
    if limit and limit < n_all:
        chosen = sorted(random.Random(seed).sample(chosen, limit), key=lambda mutant: mutant.line)  # noqa: S311 - no secret
    survivors = 0
    for mutant in chosen:
        (root / module).write_text(mutant.source)
        survivors += _survives(root, tests, seconds, f"{module}:{mutant.line}: {mutant.change}")
    print(f"{module}: {len(chosen)} of {n_all} mutants tried, {survivors} survived ({seconds:.1f} s a run)", flush=True)
    return survivors


if __name__ == "__main__":
    sys.exit(main())
