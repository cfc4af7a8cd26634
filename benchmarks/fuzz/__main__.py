"""Broken inputs by the ten thousand: `python -m benchmarks.fuzz n=10000 seed=1 minutes=60 [workers=1] [kinds=clips,…]
[first=0] [keep=FOLDER]`.

Makes pictures, clips, templates, weights, manifests and performance tables, sound ones first, then what flips, cuts,
splices, lying sizes and hostile content make of them, and gives each to the readers as a job would, with the limits of
a job that sets none. The rules: no process of ours dies, no input takes longer than two minutes or more than 3 GiB of
the process that reads it, no file appears outside of the output, nothing is executed, the network is not reached for,
every answer is a result or an error of ours, sound inputs are read under any name.

Prints counts by kind and answer. Inputs that break a rule are kept as files, with what they did, in FOLDER. Exit code
1 if there is any. Input number i of a seed is the same on every machine with the same packages: `first=i n=1` makes it
again.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.fuzz.kinds import KINDS
from benchmarks.fuzz.report import table
from benchmarks.fuzz.runner import Plan, run


def parse(arguments: list[str]) -> tuple[Plan, str]:
    """Return what is to be done, and where to keep what fails ('' for a folder of its own)."""
    given = dict(argument.partition("=")[::2] for argument in arguments)
    keep = given.pop("keep", "")
    settings: dict[str, Any] = {}
    if "kinds" in given:
        settings["kinds"] = {name: KINDS[name] for name in given.pop("kinds").split(",")}
    known: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(Plan) if field.name != "kinds"}
    for name, value in given.items():
        if name not in known:
            raise SystemExit(f"{name}: must be one of {', '.join(known)}, kinds, keep")
        settings[name] = type(known[name])(value.replace(",", ""))
    return Plan(**settings), keep


def main(arguments: list[str]) -> int:
    plan, keep = parse(arguments)
    folder = Path(keep or tempfile.mkdtemp(prefix="lp_ray-fuzz-kept-"))
    outcome = run(plan, folder)
    print(table(outcome))
    if outcome.broken:
        print(f"kept in {folder}")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
