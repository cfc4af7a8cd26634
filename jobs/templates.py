"""Fill a motion template store: `lp-ray templates --help`."""

from __future__ import annotations

import pyarrow as pa
from omegaconf import DictConfig

from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.option_checks import check_options
from lp_ray.contract.option_values import make_options
from lp_ray.coordinator.job import devices_of, identify
from lp_ray.coordinator.templates import make_templates
from lp_ray.plan.inputs import resolve_drivings
from lp_ray.plan.shard import parse_shard
from lp_ray.stages.contract import Bench

from .cli import main
from .exit_codes import EXIT_DONE, EXIT_SOME_FAILED
from .places import check_many, folder_to_write
from .progress import make_reporter
from .runtime import choose
from .setup import plain, policy_from, required, settings_from

CROP_OPTIONS = ("flag_crop_driving_video", "driving_crop_scale", "driving_crop_vx", "driving_crop_vy")
"""The options of pairs that affect the driving's template."""


def run(config: DictConfig) -> int:
    """Make the template of every driving that the store does not hold yet, and report failures."""
    templates = folder_to_write("templates", required(config, "templates"))
    check_many("driving", required(config, "drivings"))
    table = read_manifest(required(config, "drivings"), "driving")
    if shard := parse_shard(config.shard):
        table = table.filter(pa.array(shard.rows(table["uri"])))
    settings = settings_from(config, templates, templates)
    options = make_options({name: plain(config[name]) for name in CROP_OPTIONS}, "options")
    check_options(options, settings.engine.name, settings.engine.variant, "options")
    identity, engine = identify(settings)
    drivings = resolve_drivings(table, policy_from(config))
    ids = table["driving_id"].to_pylist()
    clips = [identity.driving_clip(drivings[row], options) for row in range(len(drivings))]
    reachable = {clip.template_key: clip for row, clip in enumerate(clips) if row not in drivings.failures}
    reporter = make_reporter()
    runtime, devices = choose(config, len(reachable)), devices_of(settings)
    runtime.check(settings, devices)
    runtime.start()
    try:
        executor = runtime.executor(Bench(settings, engine), devices, reporter)
        made = make_templates(list(reachable.values()), settings, identity, executor, reporter)
    finally:
        runtime.stop()
    failures = {clips[row].template_key: failure for row, failure in drivings.failures.items()} | made.failures
    for driving_id, clip in zip(ids, clips, strict=True):
        failure = failures.get(clip.template_key)
        if failure:
            print(f"failed  {driving_id}: {failure.stage}: {failure.error_class}: {failure.error}")
    distinct = len({clip.template_key for clip in clips})
    print(f"templates: {made.made} made, {made.reused} there already, {len(failures)} failed, of {distinct}")
    print(f"store: {templates}")
    return EXIT_SOME_FAILED if failures else EXIT_DONE


if __name__ == "__main__":
    main("templates", run)
