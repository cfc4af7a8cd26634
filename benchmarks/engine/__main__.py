"""`python -m benchmarks.engine device=cuda precisions=bf16,fp16 batches=1,8 json=out.json`: no Hydra, no Ray.

The same as `lp-ray bench target=engine`; for machines that have torch and little else.
"""

from __future__ import annotations

from .arguments import measure
from .compare import EngineBench, run, table

if __name__ == "__main__":
    measure(EngineBench, run, table)
