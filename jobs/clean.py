"""Remove what dead jobs left behind: `lp-ray clean --help`."""

from __future__ import annotations

import uuid
from collections import Counter

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.output import leftovers, results
from lp_ray.output.layout import OutputLayout, TemplateLayout
from lp_ray.output.leftovers import Leftover
from lp_ray.output.occupy import hold

from .cli import main
from .exit_codes import EXIT_DONE
from .places import folder_to_read
from .setup import lease_times


def run(config: DictConfig) -> int:
    """Clean an output and a template store. Refuses an output on which a job is alive; leaves a living run's staging
    alone."""
    if not config.output and not config.templates:
        raise RefusedError("output=… or templates=… is missing (see --help)")
    output = folder_to_read("output", config.output) if config.output else None
    if output is not None:
        clean_output(output, config)
    own = None if output is None else storage.join(output, "templates")
    store = folder_to_read("templates", config.templates) if config.templates else own
    if store is not None:
        clean_store(store, config.dry_run)
    return EXIT_DONE


def clean_output(output: str, config: DictConfig) -> None:
    """Remove leftovers of an output, under its lease. Loose rows of a dead job are added to the results table."""
    layout = OutputLayout(output, uuid.uuid4().hex)
    with hold(layout, lease_times(config), lambda holder: print(f"held by {holder.describe()}")):
        if not config.dry_run:
            results.gather_loose_rows(layout)
        settle(output, leftovers.in_output(layout), config.dry_run)


def clean_store(store: str, dry_run: bool) -> None:
    """Remove leftovers of a template store."""
    found, alive = leftovers.in_store(TemplateLayout(store))
    for run in alive:
        print(f"alive, left alone: {storage.display(run)}")
    settle(store, found, dry_run)


def settle(place: str, found: list[Leftover], dry_run: bool) -> None:
    """Report what was found, and remove it unless this is a dry run."""
    if not dry_run:
        leftovers.remove(found)
    else:
        for leftover in found:
            print(f"{leftover.what}: {storage.display(leftover.uri)}")
    kinds = Counter(leftover.what for leftover in found)
    counts = ", ".join(f"{count} {what}" for what, count in kinds.items()) or "nothing"
    size = sum(leftover.bytes for leftover in found)
    print(f"{storage.display(place)}: {'would remove' if dry_run else 'removed'} {counts} ({size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main("clean", run)
