"""What completes a data set once its shards are there: tables, card, plots and croissant.json. Safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from lp_ray.dataset.card import PLOTS, About, card
from lp_ray.dataset.croissant import NAME, croissant
from lp_ray.dataset.plan import Plan
from lp_ray.dataset.plots import histograms
from lp_ray.dataset.statistics import Statistics, count
from lp_ray.dataset.tables import write_tables
from lp_ray.dataset.target import Finished, Target


def finish(plan: Plan, shards: Sequence[Finished], target: Target, about: About) -> Statistics:
    """Write all that is not a shard, README.md last, and return the counts."""
    found = count(plan)
    with TemporaryDirectory(prefix="lp_ray-tables-") as folder:
        tables = write_tables(plan, shards, target, Path(folder))
    target.put_bytes(histograms(found.numbers), PLOTS)
    target.put_bytes(croissant(plan, found, about, shards, tables), NAME)
    target.put_bytes(card(plan, found, about).encode(), "README.md")
    return found
