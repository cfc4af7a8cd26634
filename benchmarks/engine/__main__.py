"""`python -m benchmarks.engine device=cuda precisions=bf16,fp16 batches=1,8 json=out.json`: no Hydra, no Ray.

The same as `lp-ray bench target=engine`; for machines that have torch and little else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .compare import PRECISION_NAMES, EngineBench, run, table


def parse(arguments: list[str]) -> tuple[EngineBench, str]:
    """Return what is to be measured, and where its JSON goes ('' for nowhere)."""
    given = dict(argument.split("=", 1) for argument in arguments)
    place = given.pop("json", "")
    settings: dict[str, Any] = {}
    for name, value in given.items():
        default = getattr(EngineBench, name)
        if name == "precisions":
            settings[name] = tuple(PRECISION_NAMES[item] for item in value.split(","))
        elif isinstance(default, tuple):
            settings[name] = tuple(type(default[0])(item) for item in value.split(","))
        else:
            settings[name] = value == "true" if isinstance(default, bool) else type(default)(value)
    return EngineBench(**settings), place


if __name__ == "__main__":
    bench, place = parse(sys.argv[1:])
    report = run(bench)
    print(table(report))
    if place:
        Path(place).write_text(json.dumps(report, indent=1))
