"""Broken inputs: a short run keeps the rules, and whatever breaks one is noticed, named, kept and survived."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import __main__ as command
from benchmarks.fuzz.kinds import KINDS, case_of, kind_at, read_samples
from benchmarks.fuzz.report import table
from benchmarks.fuzz.runner import Outcome, Plan, run
from benchmarks.fuzz.worker import READ

PLANTED = {
    "Reads": "",
    "Refuses": "",
    "RefusesSound": "not read: a sound input was refused: not a template",
    "Raises": "TypeError: a mistake",
    "Ends": "SystemExit: 0",
    "Hangs": "hung: no answer after",
    "Dies": "died: died of SIGSEGV",
    "Leaves": "died: ended with exit code 0",
    "Eats": "memory: ",
    "EatsAll": "MemoryError",
    "WritesOutside": "wrote outside: ",
    "WritesByNativeCode": "wrote outside: in/beside.gif appeared",
    "ChangesItsInput": "wrote outside: os.remove",
    "LeavesBehind": "wrote outside: tmp/forgotten appeared",
    "Executes": "executed: os.system",
    "Starts": "executed: ['/bin/true']",
    "ReachesOut": "reached out: socket.",
    "ChildErrs": "not ours: the child ended by an error of Python",
}
"""Kind of `planted.py` -> what must be said of its inputs, nothing for those that break no rule."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A run over all planted kinds, each met once."""
    keep = tmp_path_factory.mktemp("kept")
    kinds = {name: f"tests.fuzz.planted:{name}" for name in PLANTED}
    return run(Plan(n=len(kinds), limit_s=4.0, memory=400 << 20, kinds=kinds), keep), keep


@pytest.mark.parametrize("kind", list(PLANTED))
def test_a_planted_failure_is_noticed_and_named(planted: tuple[Outcome, Path], kind: str) -> None:
    """Errors that are not ours, hangs, deaths, hunger, files outside, commands, the network, sound inputs refused; and
    nothing where a reader does as it should."""
    (answer,) = [answer for answer in planted[0].answers if answer.kind == kind]
    said = "\n".join(answer.broken)
    assert PLANTED[kind] in said and bool(said) == bool(PLANTED[kind]), said
    assert answer.answer == {"Reads": READ, "Refuses": "TemplateError"}.get(kind, answer.answer)


def test_a_run_goes_on_after_deaths_and_hangs(planted: tuple[Outcome, Path]) -> None:
    assert len(planted[0].answers) == len(PLANTED)


def test_what_breaks_a_rule_is_kept_with_its_story(planted: tuple[Outcome, Path]) -> None:
    """Each input stands in a folder of its own, the bytes and how to make them again; of sound ones there is none."""
    outcome, keep = planted
    assert {folder.name.split("-")[0] for folder in keep.iterdir()} == {answer.kind for answer in outcome.broken}
    (raised,) = keep.glob("Raises-*")
    assert (raised / "input" / "a.txt").read_bytes().startswith(b"a sample")
    assert "seed=1 first=3 n=1" in (raised / "story.txt").read_text()
    (died,) = keep.glob("Dies-*")
    assert "Fatal Python error: Segmentation fault" in (died / "story.txt").read_text()
    (hung,) = keep.glob("Hangs-*")
    assert "planted.py" in (hung / "story.txt").read_text()  # where it stands still


def test_a_short_run_keeps_all_rules(tmp_path: Path) -> None:
    """150 inputs of every kind, two minutes at most for one: results or errors of ours, and nothing else."""
    outcome = run(Plan(n=150, seed=14), tmp_path)
    assert not outcome.broken, table(outcome)
    assert len(outcome.answers) == 150
    for kind in KINDS:
        answers = {answer.answer for answer in outcome.answers if answer.kind == kind}
        assert answers > {READ}, f"{kind}: {answers}"


def test_inputs_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    """Samples, and what is made of them; other seeds and numbers make others."""
    for name in ("templates", "manifests", "performances", "pictures"):
        made = []
        for folder in (tmp_path / name / "a", tmp_path / name / "b"):
            folder.mkdir(parents=True)
            kind = kind_at(KINDS[name])
            kind.make_samples(folder)
            made.append([case_of(kind, read_samples(folder), *at) for at in ((1, 7), (1, 8), (2, 7))])
        assert made[0] == made[1]
        assert made[0][0] != made[0][1] and made[0][0] != made[0][2]


def test_the_command_prints_a_table_and_ends_with_1_where_a_rule_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Raises", "Refuses"):
        monkeypatch.setitem(KINDS, name, f"tests.fuzz.planted:{name}")
    assert command.main(["n=2", "kinds=Refuses,Raises", f"keep={tmp_path}"]) == 1
    printed = capsys.readouterr().out
    assert "| Refuses | 1 | 0 | TemplateError 1 |" in printed and "1 broke a rule" in printed
    assert len(list(tmp_path.glob("Raises-000001-not-ours/input/a.txt"))) == 1
    assert command.main(["n=1", "kinds=Refuses"]) == 0


def test_time_ends_a_run(tmp_path: Path) -> None:
    outcome = run(Plan(n=100_000, minutes=0.02, kinds={"a": "tests.fuzz.planted:Refuses"}), tmp_path)
    assert 0 <= len(outcome.answers) < 100_000
