"""Values are taken as typed; exit codes tell a refusal from a failure."""

from __future__ import annotations

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from jobs.cli import TEXT_KEYS, main, quote
from jobs.exit_codes import EXIT_DONE, EXIT_REFUSED, EXIT_SOME_FAILED
from jobs.help import CONF

AWKWARD = [
    "照片/a.jpg",
    "a(1).jpg",
    "a=b.jpg",
    "{a,b}.jpg",
    "x.jpg?v=1",
    "it's.jpg",
    "with space.jpg",
    "[a].jpg",
    "back\\slash",
    "ends\\",
    "\\'",
    "${oc.env:HOME}/a.jpg",
    "\\${x}",
    "photos/*.jpg",
    "1e3",
    "true",
    "#a",
    "~/a.jpg",
    "a:b,c",
    '"quoted".jpg',
]


def as_hydra_reads(argument: str) -> str:
    override = OverridesParser.create().parse_override(quote(argument))
    return str(OmegaConf.create({"value": override.value()}).value)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_arrive_as_typed(name: str) -> None:
    assert as_hydra_reads(f"input={name}") == name


NO_TEXT = {
    *("face", "subject", "box", "start_s", "end_s", "shard", "stages", "seconds", "num_cpus", "num_gpus"),
    *("executions", "format", "preset", "kind", "command", "model"),
}
"""Settings without a value of their own that hold numbers, words of a list, or Hydra's own grammar."""


def test_every_setting_that_takes_a_text_takes_it_as_typed() -> None:
    """A new setting has to be sorted in: `decisions=decisions (1).csv` is what a browser calls a second download."""
    empty = re.compile(r"^ *([\w.]+): *(?:null|\?\?\?)(?: |$)", re.MULTILINE)
    found = {name for path in CONF.rglob("*.yaml") for name in empty.findall(path.read_text())}
    assert "decisions" in found and found - TEXT_KEYS == NO_TEXT
    assert as_hydra_reads("decisions=decisions (1).csv") == "decisions (1).csv"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(lambda s: s != "null"))
def test_any_name_arrives_as_typed(name: str) -> None:
    assert as_hydra_reads(f"sources={name}") == name


@pytest.mark.parametrize("argument", ["pairing=cross", "crf=20", "--help", "pools.write.actors=4", "templates=null"])
def test_other_arguments_keep_hydras_grammar(argument: str) -> None:
    assert quote(argument) == argument


@pytest.mark.parametrize("code", [EXIT_DONE, EXIT_SOME_FAILED])
def test_the_jobs_code_is_the_exit_code(code: int) -> None:
    with pytest.raises(SystemExit) as stop:
        main("manifest", lambda config: code, ["input=a", "kind=source", "output=b"])
    assert stop.value.code == code


def test_a_misspelt_setting_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main("manifest", lambda config: EXIT_DONE, ["inptu=a"])
    assert stop.value.code == EXIT_REFUSED
    assert "inptu" in capfd.readouterr().err
