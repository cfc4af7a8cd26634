"""Make the page of an output: `lp-ray gallery output=…`, then open `<output>/gallery/index.html`."""

from __future__ import annotations

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.gallery.build import build

from .cli import main
from .exit_codes import EXIT_DONE
from .places import folder_to_read
from .setup import policy_from, required
from .tasks import check_runtime, runner

TOLD = 5


def run(config: DictConfig) -> int:
    """Make what is lacking of the page, and say where it is."""
    output = folder_to_read("output", required(config, "output"))
    check_runtime(config)
    if not isinstance(config.pictures, bool):
        raise RefusedError(f"pictures={config.pictures!r} must be true or false")
    with runner(config) as run_tasks:
        made = build(output, run_tasks, config.pictures, policy_from(config))
    for line in made.lacking[:TOLD]:
        print(f"not shown: {line}")
    if made.n_lacking > TOLD:
        print(f"and {made.n_lacking - TOLD} more")
    print(f"{made.rows} pairs, {made.strips} strips of pictures and curves of {made.curves} pairs made now")
    print(f"gallery: {storage.shown(made.page)}")
    return EXIT_DONE


if __name__ == "__main__":
    main("gallery", run)
