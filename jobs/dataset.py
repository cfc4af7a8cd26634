"""Make a data set of a job's videos: `lp-ray dataset output=… to=… format=webdataset`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.dataset.card import About
from lp_ray.dataset.choose import conditions_of, judge
from lp_ray.dataset.export import write_shard, write_shards
from lp_ray.dataset.finish import finish
from lp_ray.dataset.plan import Plan, Request, make_plan
from lp_ray.dataset.selection import read_selection, selection_name
from lp_ray.dataset.shards import container
from lp_ray.dataset.split import parse_sides
from lp_ray.dataset.target import Finished, Target
from lp_ray.output.layout import OutputLayout
from lp_ray.output.results import stored_videos
from lp_ray.output.scan import Scan

from .cli import main
from .exit_codes import EXIT_DONE
from .numbers import number, whole
from .places import folder_to_read, folder_to_write
from .setup import required
from .tasks import check_runtime, runner

GB = 1e9


def run(config: DictConfig) -> int:
    """Plan the export, write the shards that are lacking, then tables and card; say what was left out and why."""
    output = folder_to_read("output", required(config, "output"))
    root = folder_to_write("to", required(config, "to"))
    request, about = request_from(config), about_from(config)
    with TemporaryDirectory(prefix="lp_ray-dataset-") as folder:
        plan = plan_export(config, output, request, Path(folder))
        for line in plan_lines(plan):
            print(line, flush=True)
        target = Target(root)
        with runner(config) as run_tasks:
            shards = write_shards(plan, target, partial(run_tasks, write_shard), _counter(len(plan.shards)))
        finish(plan, shards, target, about)
    print(f"data set: {storage.shown(root)}")
    return EXIT_DONE


def request_from(config: DictConfig) -> Request:
    """Read the settings. Raises RefusedError for a value of the wrong kind or range."""
    check_runtime(config)
    gb, seed = number("shard_gb", config.shard_gb, 0, 1000, above=True), whole("seed", config.seed, 0)
    format_, videos = required(config, "format"), str(config.videos)
    made, same = container(format_, videos), config.same_person
    if same is not None:
        number("same_person", same, 0, 2)
    if not isinstance(config.labels, bool):
        raise RefusedError(f"labels={config.labels!r} must be true or false: whether a data set takes the labels along")
    sides = parse_sides(None if config.split is None else str(config.split))
    return Request(format_, sides, seed, max(1, int(gb * GB)), made.most_samples, videos, config.labels, same)


def about_from(config: DictConfig) -> About:
    """Read what only the publisher knows."""
    return About(str(config.name), str(config.licence or ""), str(config.contact or ""))


def plan_export(config: DictConfig, output: str, request: Request, folder: Path) -> Plan:
    """Read the results and plan the export; the rows chosen are spooled into `folder`."""
    layout = OutputLayout(output)
    name = selection_name(str(config.selection)) if config.selection else None
    selection = None if name is None else read_selection(layout, name)
    scan = Scan(output)
    where, preset = (str(config[setting]) if config[setting] else None for setting in ("where", "preset"))
    conditions = conditions_of(scan, where, preset)
    said = [*(selection.conditions if selection else ()), *(condition.text for condition in conditions)]
    stored = stored_videos(layout)
    return make_plan(request, judge(scan, conditions, None), scan.schema, selection, stored, said, folder, layout.root)


def plan_lines(plan: Plan) -> list[str]:
    """Return what an export is going to write, and what it leaves out, in lines for people."""
    lines = []
    for side in plan.request.sides.names:
        shards = [shard for shard in plan.shards if shard.side == side]
        lines.append(f"{side}: {sum(len(shard.places) for shard in shards)} videos in {len(shards)} shards")
    return lines + [f"left out: {count} ({reason})" for reason, count in plan.left_out.most_common()]


def _counter(total: int) -> Callable[[Finished], None]:
    done = 0

    def tell(shard: Finished) -> None:
        nonlocal done
        done += 1
        print(f"{done} of {total} shards: {shard.name}", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    main("dataset", run)
