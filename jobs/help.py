"""What `--help` shows: settings with their defaults and a line each, from where they are declared.

A command's own settings are explained by the comments in conf/<command>.yaml, the options of a pair, limits and
settings of plugins by their declarations in the package.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from lp_ray.base.limits import Limits
from lp_ray.base.version import __version__
from lp_ray.contract.measuring import Measuring
from lp_ray.contract.options import PairOptions

CONF = Path(__file__).resolve().parents[1] / "conf"
"""Beside this package, in the repository and in an installed one; never what the working folder holds."""

FIRST: dict[str, tuple[str, ...]] = {
    "animate": (
        *("source", "driving", "sources", "drivings", "pairs", "output"),
        *("engine", "detector", "pairing", "runtime", "cluster"),
        *("paste_back", "crop_scale", "flag_do_crop", "driving_multiplier", "animation_region", "driving_option"),
        *("driving_length", "audio", "format", "comparison", "crf", "face", "start_s", "end_s"),
        *("labels", "metrics"),
        *("retry", "dry_run"),
    )
}
"""What people set first, of a command that has many settings; of the others all are shown."""

WIDTH = 110
VERSION = f"lp_ray {__version__}"


@dataclass(frozen=True)
class Shown:
    """A setting as help shows it."""

    name: str
    default: str
    text: str


def commands() -> dict[str, str]:
    """Return every command with a line on what it is for."""
    return {path.stem: _head(path.read_text())[0] for path in sorted(CONF.glob("*.yaml"))}


def usage(command: str, everything: bool = False) -> str:
    """Return the help of a command: how it is called, and its settings, those that people set first or all."""
    text = (CONF / f"{command}.yaml").read_text()
    settings = {shown.name: shown for shown in _own(text)}
    if "options: default" in text:
        settings |= {shown.name: shown for shown in _options()}
    if "measuring: none" in text:
        settings |= {shown.name: shown for shown in _measuring()}
    if everything and "limits: default" in text:
        settings |= {shown.name: shown for shown in _limits()}
    some = command in FIRST and not everything
    names = FIRST[command] if some else tuple(settings)
    lines = [*_head(text), "", "What people set first:" if some else "Settings, typed key=value:"]
    lines += [line for name in names for line in _lines(settings[name])]
    if some:
        lines += ["", "--help=all shows all settings, --cfg their values as they are composed."]
    elif "engine: " in text:
        lines += ["", "Settings of engines, detectors and pools: docs/settings.md"]
    return "\n".join(lines)


def answer(name: str, typed: Sequence[str]) -> str | None:
    """Return what a command line asks to be told instead of done: help or the version."""
    if "--version" in typed:
        return VERSION
    if {"--help=all", "--help-all"} & set(typed):
        return usage(name, everything=True)
    return usage(name) if {"--help", "-h"} & set(typed) else None


def _head(text: str) -> list[str]:
    """Return the comment that opens a command's file: what it is for, how it is called, its exit codes."""
    lines = text.partition("\n\n")[0].splitlines()
    return [line.removeprefix("#").removeprefix(" ") for line in lines]


def _own(text: str) -> Iterator[Shown]:
    """Yield the settings that a command's file declares, with their comments."""
    parent = ""
    for line in _joined(text):
        chosen = re.fullmatch(r"  - (\w+): (\w+) +# (.*)", line)
        own = re.fullmatch(r"(  )?(\w+): *([^#]*?)(?: +# *(.*))?", line)
        if chosen:
            yield Shown(*chosen.groups())
        elif own and own[2] != "defaults":
            if not own[3]:
                parent = own[2]
                continue
            name = f"{parent}.{own[2]}" if own[1] else own[2]
            default = "" if own[3] in ("???", "null") or "${" in own[3] else own[3]
            yield Shown(name, default, own[4] or "")


def _joined(text: str) -> Iterator[str]:
    """Yield lines; a comment that stands alone on an indented line goes on with the one before."""
    held = ""
    for line in text.splitlines():
        if held and re.fullmatch(r" {8,}# .*", line):
            held += " " + line.strip().removeprefix("# ")
            continue
        if held:
            yield held
        held = line
    yield held


def _options() -> Iterator[Shown]:
    hints = get_type_hints(PairOptions)
    for option in fields(PairOptions):
        words = get_args(hints[option.name]) or (option.metadata["choices"] or tuple)()
        choices = f" ({' | '.join(words)})" if words else ""
        yield Shown(option.name, _typed(option.default), option.metadata["help"] + choices)


def _measuring() -> Iterator[Shown]:
    hints = get_type_hints(Measuring)
    for each in fields(Measuring):
        choices = f" ({' | '.join(words)})" if (words := get_args(hints[each.name])) else ""
        yield Shown(each.name, _typed(each.default), each.metadata["help"] + choices)


def _limits() -> Iterator[Shown]:
    for limit in fields(Limits):
        yield Shown(f"limits.{limit.name}", _typed(limit.default), limit.metadata["help"])


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _lines(shown: Shown) -> list[str]:
    head = f"  {shown.name}={shown.default or '…'}"
    return textwrap.wrap(f"{head:<32} {shown.text}".rstrip(), WIDTH, subsequent_indent=" " * 33)
