"""Being the one job that writes to an output: what the dead have left goes first, what is one's own goes last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lp_ray import results, storage
from lp_ray.coordinator import leftovers
from lp_ray.errors import LpRayError
from lp_ray.layout import OutputLayout, TemplateLayout
from lp_ray.lease import Lease, LeaseTimes, Told, acquire
from lp_ray.settings import Settings


@contextmanager
def occupy(settings: Settings, times: LeaseTimes | None = None, told: Told | None = None) -> Iterator[Lease]:
    """Hold the lease on a job's output, with its results table in order and no staging but the job's own.

    `times` and `told` as in `lp_ray.lease.acquire`. Raises LeaseHeldError naming the holder.
    """
    layout = settings.output_layout
    with acquire(layout.lease, times, settings.run, told) as lease:
        try:
            leftovers.sweep(layout)
            results.gather_loose_rows(layout)
            yield lease
        finally:
            _drop(layout)


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
