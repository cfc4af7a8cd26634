"""Being the one job that writes to an output: what the dead have left goes first, what is one's own goes last.

Jobs on different shards of one count share no pair, and work side by side; any others exclude each other. What shards
share is the results table: they change it one at a time.
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
    """Hold the lease on a job's output, with its results table in order and no staging but the job's own.

    `times` and `told` as in `lp_ray.output.lease.acquire`; `meta` holds the types of the manifests' `meta_*` columns.
    Raises LeaseHeldError naming the holder.
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
    """Take the lease on an output, or on a shard of it, when no job that it excludes is alive.

    Two that look for each other at the same time may both give way; with `times.wait_s` they try again.
    """
    times = times or LeaseTimes()
    while True:
        _await_rivals(layout, times, told)
        lease = acquire(layout.lease, times, layout.run, told)
        try:
            _await_rivals(layout, replace(times, wait_s=0.0), None)  # who came in between
            return lease
        except BaseException as error:
            lease.release()
            if not isinstance(error, LeaseHeldError) or not times.wait_s:
                raise
        time.sleep(random.uniform(0.0, times.lease_s / 6))  # noqa: S311 - so that they do not meet again


def _await_rivals(layout: OutputLayout, times: LeaseTimes, told: Told | None) -> None:
    """Return when no job is alive whose pairs may be this one's too."""
    files = (info.uri for page in storage.pages(layout.shard_leases, deep=True) for info in page)
    shards = {uri.removeprefix(layout.shard_leases + "/").partition("/")[0] for uri in files}
    for shard in sorted({"", *shards} - {layout.shard}):
        if not layout.is_beside(shard):
            await_end(layout.lease_of(shard), times, told)


@contextmanager
def table(layout: OutputLayout) -> Iterator[None]:
    """Be the only shard that changes the results table; put in order what one that died of it left."""
    if not layout.shard:  # the whole's lease says so already
        yield
        return
    before = current(layout.table_lease)
    with acquire(layout.table_lease, LeaseTimes(wait_s=math.inf), layout.run):
        if before is not None and not before.released:
            results.mend(layout)
        yield


@contextmanager
def fill(layout: TemplateLayout) -> Iterator[Lease]:
    """Show that a run which stages templates is alive, and drop its staging at the end.

    Any number of runs fill one store side by side; the lease is for `jobs.clean`, which removes what the dead left.
    """
    with acquire(layout.lease, run=layout.run) as lease:
        try:
            yield lease
        finally:
            lease.release()
            _drop(layout)


def _drop(layout: OutputLayout | TemplateLayout) -> None:
    with suppress(LpRayError, OSError):  # an actor may still be writing; what stays is found by the next job
        storage.delete_prefix(layout.own_staging)
