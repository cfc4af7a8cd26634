"""Make this job the only writer of an output: remove what dead jobs left behind first, and this job's own staging last.

Jobs on different shards of the same count have no pair in common, so they may run at the same time. Any other two jobs
exclude each other. All shards share one results table and change it one at a time.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pyarrow as pa

from lp_ray import storage
from lp_ray.base.errors import LeaseHeldError, LpRayError
from lp_ray.output import leftovers, results
from lp_ray.output.layout import OutputLayout, TemplateLayout
from lp_ray.output.lease import Lease, LeaseTimes, Told, acquire, await_end, current


@contextmanager
def occupy(
    layout: OutputLayout,
    times: LeaseTimes | None = None,
    told: Told | None = None,
    meta: pa.Schema | None = None,
) -> Iterator[Lease]:
    """Hold the lease on a job's output while the context is open.

    On entry, other runs' staging is removed and loose rows are gathered into the results table. On exit, this run's
    staging is removed. `times` and `told` are those of `lp_ray.output.lease.acquire`. `meta` gives the types of the
    manifests' `meta_*` columns. Raises LeaseHeldError, which names the holder.
    """
    with hold(layout, times, told) as lease:
        try:
            leftovers.sweep(layout)
            with table(layout):
                results.gather_loose_rows(layout, meta)
            yield lease
        finally:
            _drop(layout)


def hold(layout: OutputLayout, times: LeaseTimes | None = None, told: Told | None = None) -> Lease:
    """Take the lease on an output, or on one shard of it, once no job that this one excludes is alive.

    Two jobs that check for each other at the same time may both give up. If `times.wait_s` is set, they try again.
    """
    times = times or LeaseTimes()
    while True:
        _await_rivals(layout, times, told)
        lease = acquire(layout.lease, times, layout.run, told)
        try:
            _await_rivals(layout, replace(times, wait_s=0.0), None)  # a job that started since the first check
            return lease
        except BaseException as error:
            lease.release()
            if not isinstance(error, LeaseHeldError) or not times.wait_s:
                raise
        time.sleep(random.uniform(0.0, times.lease_s / 6))  # noqa: S311 - so that the two do not collide again


def _await_rivals(layout: OutputLayout, times: LeaseTimes, told: Told | None) -> None:
    """Return when no job that could work on the same pairs is alive."""
    files = (info.uri for page in storage.pages(layout.shard_leases, deep=True) for info in page)
    shards = {uri.removeprefix(layout.shard_leases + "/").partition("/")[0] for uri in files}
    for shard in sorted({"", *shards} - {layout.shard}):
        if not layout.is_beside(shard):
            await_end(layout.lease_of(shard), times, told)


@contextmanager
def table(layout: OutputLayout) -> Iterator[None]:
    """Allow only one shard at a time to change the results table; first repair it if the last shard died while changing
    it."""
    if not layout.shard:  # the lease on the whole output already excludes every other job
        yield
        return
    before = current(layout.table_lease)
    with acquire(layout.table_lease, LeaseTimes(wait_s=math.inf), layout.run):
        if before is not None and not before.released:
            results.mend(layout)
        yield


@contextmanager
def fill(layout: TemplateLayout) -> Iterator[Lease]:
    """Hold a lease that shows that this run stages templates, and remove the run's staging at the end.

    Any number of runs may fill one store at the same time. `jobs.clean` reads the lease to tell living runs from dead
    ones, whose staging it removes.
    """
    with acquire(layout.lease, run=layout.run) as lease:
        try:
            yield lease
        finally:
            lease.release()
            _drop(layout)


def _drop(layout: OutputLayout | TemplateLayout) -> None:
    with suppress(LpRayError, OSError):  # an actor may still be writing; the next job removes the rest
        storage.delete_prefix(layout.own_staging)
