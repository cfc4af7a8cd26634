"""`python -m benchmarks.engine device=cuda precisions=bf16,fp16 batches=1,8 json=out.json`: no Hydra, no Ray.

The same as `lp-ray bench target=engine`; for machines that have torch and little else.
"""

from __future__ import annotations

import sys

from .arguments import parsed, save
from .compare import EngineBench, run, table

if __name__ == "__main__":
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    place = given.pop("json", "")
    report = run(parsed(EngineBench, given))
    print(table(report))
    save(place, report)
