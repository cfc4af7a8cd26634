"""Animate pairs of sources and drivings: `python -m jobs.animate --help`."""

from __future__ import annotations

import pyarrow as pa
import ray
from omegaconf import DictConfig

from jobs.cli import EXIT_DONE, EXIT_SOME_FAILED, main
from jobs.progress import make_reporter, summary_lines
from jobs.setup import options_from, plain, policy_from, pools_from, required, settings_from, start_ray
from lp_ray import results, storage
from lp_ray.coordinator import job as jobs
from lp_ray.errors import RefusedError
from lp_ray.layout import OutputLayout
from lp_ray.manifest import read_manifest
from lp_ray.pairing import Pairs, pair_up, pairs_from_manifest


def prepare(config: DictConfig) -> jobs.Job:
    """Read the manifests and plan the job; nothing has been written yet."""
    if config.retry not in ("none", "failed"):
        raise RefusedError(f"retry={config.retry!r} must be none or failed")
    output = storage.normalise(required(config, "output"))
    templates = storage.normalise(config.templates) if config.templates else storage.join(output, "templates")
    sources = read_manifest(required(config, "sources"), "source")
    drivings = read_manifest(required(config, "drivings"), "driving")
    pair_table = read_manifest(config.pairs, "pair") if config.pairs else None
    return jobs.prepare(
        settings_from(config, output, templates),
        sources,
        drivings,
        pair_table,
        choose_pairs(config, sources, drivings, pair_table),
        policy_from(config),
        retry_failed=config.retry == "failed",
    )


def choose_pairs(config: DictConfig, sources: pa.Table, drivings: pa.Table, pair_table: pa.Table | None) -> Pairs:
    """Pair by the manifest where there is one, else by the rule."""
    options = options_from(config)
    if pair_table is not None:
        return pairs_from_manifest(
            pair_table, sources["source_id"].to_pylist(), drivings["driving_id"].to_pylist(), options
        )
    rule = plain(config.pairing)
    return pair_up(rule["rule"], len(sources), len(drivings), options, rule.get("per_source", 1), rule.get("seed", 0))


def plan_lines(job: jobs.Job) -> list[str]:
    """Say what the job is going to do."""
    plan = job.plan
    return [
        f"plan: {len(plan.pair_ids)} pairs of {len(plan.sources)} sources and {len(plan.drivings)} drivings, "
        f"engine {job.engine}",
        f"      {plan.n_done} done already, {plan.n_failed_before} failed before (retry=failed makes them again), "
        f"{len(plan.todo)} to do",
        f"      {len(job.templates_needed())} motion templates needed",
    ]


def run(config: DictConfig) -> int:
    """Plan, work, sum up."""
    output = storage.normalise(required(config, "output"))
    if not config.dry_run:
        results.gather_loose_rows(OutputLayout(output))
    job = prepare(config)
    reporter = make_reporter()
    for line in plan_lines(job):
        reporter.note(line)
    if config.dry_run:
        return EXIT_DONE
    if not len(job.plan.todo):
        reporter.note("nothing to do")
        return EXIT_SOME_FAILED if job.plan.n_failed_before else EXIT_DONE
    start_ray(config)
    try:
        summary = jobs.run(job, pools_from(config), reporter)
    finally:
        ray.shutdown()
    for line in summary_lines(summary, output):
        print(line)
    return EXIT_SOME_FAILED if summary.failed else EXIT_DONE


if __name__ == "__main__":
    main("animate", run)
