"""A job on one shard, as far as its results go: `python -m … OUTPUT SHARD N`.

Takes the shard's lease, says so, then settles N pairs three at a time as a job does: a loose row, then a part of the
table. Waits for the end of its input before it gives the lease back.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from lp_ray.base.errors import RefusedError
from lp_ray.engine.factory import EngineSpec
from lp_ray.output import results
from lp_ray.output.lease import LeaseTimes
from lp_ray.output.occupy import occupy, table
from lp_ray.plan.settings import Settings


def main(output: str, shard: str, count: str) -> None:
    settings = Settings(output, output + "/templates", EngineSpec("preview"), shard=shard)
    layout = settings.output_layout
    try:
        with occupy(settings.output_layout, LeaseTimes(lease_s=3.0)):
            print("held", flush=True)
            for first in range(0, int(count), 3):
                rows = [
                    {"pair_id": f"{shard}-{i}", "status": "done", "bytes": 1, "finished_at": datetime.now(UTC)}
                    for i in range(first, first + 3)
                ]
                for row in rows:
                    results.write_row(layout, row)
                with table(layout):
                    results.flush(layout, rows)
            print("written", flush=True)
            sys.stdin.read()
    except RefusedError as error:
        print(f"refused {error}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
