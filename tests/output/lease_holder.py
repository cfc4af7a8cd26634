"""A job as the lease's tests need it, in a process of its own: `python -m … FOLDER LEASE_S WAIT_S MODE`.

`hold`: take the lease, say so, check it for every line read, give it back at the end of the input.
`visit`: take the lease, write "in" and "out" to the file named fifth with a pause between, give it back.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lp_ray.base.errors import LeaseLostError, RefusedError
from lp_ray.output.lease import LeaseTimes, acquire


def main(folder: str, lease_s: str, wait_s: str, mode: str, *more: str) -> None:
    try:
        lease = acquire(folder, LeaseTimes(float(lease_s), float(wait_s)))
    except RefusedError as error:
        print(f"refused {error}", flush=True)
        return
    with lease:
        if mode == "visit":
            visit(Path(more[0]))
            return
        print("held", flush=True)
        for _ in sys.stdin:
            try:
                lease.check()
                print(f"still held {lease.generation}", flush=True)
            except LeaseLostError as error:
                print(f"lost {error}", flush=True)


def visit(log: Path) -> None:
    for word in ("in", "out"):
        with log.open("a") as file:
            file.write(word + "\n")
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
