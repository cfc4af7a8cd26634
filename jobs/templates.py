"""Fill a motion template store: `python -m jobs.templates --help`."""

from __future__ import annotations

import ray
from omegaconf import DictConfig

from jobs.cli import EXIT_DONE, EXIT_SOME_FAILED, main
from jobs.progress import make_reporter
from jobs.setup import policy_from, pools_from, required, settings_from, start_ray
from lp_ray import storage
from lp_ray.coordinator.job import identify
from lp_ray.coordinator.templates import make_templates
from lp_ray.manifest import read_manifest
from lp_ray.pipeline import configure_ray_data
from lp_ray.plan import resolve_drivings


def run(config: DictConfig) -> int:
    """Track every driving whose template the store does not hold, and say what became of each."""
    templates = storage.normalise(required(config, "templates"))
    table = read_manifest(required(config, "drivings"), "driving")
    settings = settings_from(config, templates, templates)
    identity, _, needs_crops = identify(settings)
    drivings, unreachable = resolve_drivings(table, policy_from(config))
    ids = table["driving_id"].to_pylist()
    keys = {identity.template_key(driving): driving for driving in drivings}
    reachable = {
        identity.template_key(driving): driving for row, driving in enumerate(drivings) if row not in unreachable
    }
    reporter = make_reporter()
    start_ray(config)
    configure_ray_data()
    try:
        made = make_templates(reachable, settings, identity, needs_crops, pools_from(config), reporter)
    finally:
        ray.shutdown()
    failures = {identity.template_key(drivings[row]): failure for row, failure in unreachable.items()} | made.failures
    for driving_id, driving in zip(ids, drivings, strict=True):
        failure = failures.get(identity.template_key(driving))
        if failure:
            print(f"failed  {driving_id}: {failure.stage}: {failure.error_class}: {failure.error}")
    print(f"templates: {made.made} made, {made.reused} there already, {len(failures)} failed, of {len(keys)}")
    print(f"store: {templates}")
    return EXIT_SOME_FAILED if failures else EXIT_DONE


if __name__ == "__main__":
    main("templates", run)
