"""The command `lp-ray`: `lp-ray animate source=a.jpg driving=b.mp4 output=out`, `lp-ray --help`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from lp_ray.base.extras import lacking
from lp_ray.base.names import nearest

from .exit_codes import EXIT_DONE, EXIT_REFUSED
from .help import VERSION, answer, commands


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command that the first word names, as `python -m jobs.<command>` does."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    known = commands()
    if not typed or typed[0] in ("--help", "-h", "help"):
        print(overview(known))
        sys.exit(EXIT_DONE)
    if typed[0] == "--version":
        print(VERSION)
        sys.exit(EXIT_DONE)
    name, rest = typed[0], typed[1:]
    if name not in known:
        print(f"refused: {name!r} is no command{nearest(name, known)} (lp-ray lists them)", file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    if (said := answer(name, rest)) is not None:  # without loading what the command needs
        print(said)
        sys.exit(EXIT_DONE)
    try:
        module = importlib.import_module(f"{__package__}.{name}")
    except ModuleNotFoundError as error:
        if (refusal := lacking(error, f"lp-ray {name}")) is None:
            raise
        print(f"refused: {refusal}", file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    cli = importlib.import_module(f"{__package__}.cli")
    cli.main(name, module.run, getattr(module, "arguments", list)(rest))
    raise AssertionError("a command ends with its exit code")


def overview(known: dict[str, str]) -> str:
    """Return all commands with a line each."""
    width = max(map(len, known))
    lines = [f"  {name:<{width}}  {line}" for name, line in known.items()]
    return "\n".join(["lp-ray <command> key=value …", "", *lines, "", "lp-ray <command> --help explains its settings."])
