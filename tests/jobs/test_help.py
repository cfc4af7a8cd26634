"""`--help` is short, true, and complete when asked for all."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from jobs.cli import composed
from jobs.command import main, overview
from jobs.help import FIRST, commands, usage
from lp_ray.base.version import __version__
from lp_ray.contract.options import option_names
from tests.running import REPOSITORY

TWO_SCREENS = 50


def named(text: str) -> set[str]:
    """The settings that a help text lists."""
    return set(re.findall(r"(?m)^  ([\w.]+)=", text))


def test_help_of_animate_fits_two_screens_and_explains_what_it_names() -> None:
    text = usage("animate")
    assert len(text.splitlines()) <= TWO_SCREENS
    assert named(text) == set(FIRST["animate"])


@pytest.mark.parametrize("command", commands())
def test_all_settings_are_shown_and_each_of_them_is_one(command: str) -> None:
    shown = named(usage(command, everything=True))
    config = composed(command, [])
    single = {str(key) for key in config if not OmegaConf.is_dict(config._get_node(key))}
    assert single <= shown, "a setting is not explained"
    for name in shown - {"options", "limits", "pools", "xpose", "measuring"}:
        node = config
        for part in name.split("."):
            node = node._get_node(part)
            assert node is not None, name
    if command == "animate":
        assert set(option_names()) <= shown


def test_the_command_alone_lists_commands_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert said.strip() == overview(commands()).strip()
    assert all(line.strip().endswith(".") for line in said.splitlines() if line.startswith("  "))


@pytest.mark.parametrize("words", [["--version"], ["animate", "--version"]])
def test_version(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert (stop.value.code, capsys.readouterr().out) == (0, f"lp_ray {__version__}\n")


def test_a_misspelt_command_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["anmiate", "source=a.jpg"])
    assert stop.value.code == 2 and "did you mean 'animate'?" in capsys.readouterr().err


def test_help_loads_neither_ray_nor_a_detector_nor_an_engine() -> None:
    code = (
        "import sys\nfrom jobs.command import main\ntry:\n    main(['animate', '--help'])\nexcept SystemExit:\n"
        "    print(sorted({'ray', 'torch', 'cv2', 'pyarrow', 'hydra'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"
