"""Animate pairs of sources and drivings: `lp-ray animate --help`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pyarrow as pa
from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import LpRayError, RefusedError
from lp_ray.contract.manifest import check_manifest, read_manifest
from lp_ray.contract.result_schema import DONE
from lp_ray.coordinator import job as jobs
from lp_ray.coordinator.reporting import Reporter
from lp_ray.dataset.decisions import Decisions, read_decisions
from lp_ray.output import results
from lp_ray.output.lease import Holder, Lease
from lp_ray.output.occupy import occupy
from lp_ray.plan.pairing import Pairs, pair_up, pairs_from_manifest
from lp_ray.plan.settings import Settings
from lp_ray.plan.shard import parse_shard
from lp_ray.report.summary import Webhook, describe_run, parse_webhook
from lp_ray.report.summary import write as write_summary
from lp_ray.stages.contract import Bench

from .cli import main, was_terminated
from .exit_codes import EXIT_DONE, EXIT_ERROR, EXIT_SOME_FAILED
from .places import check_many, check_one, folder_to_write
from .plan_report import decided_lines, plan_lines, unstartable_lines
from .progress import Remembering, make_reporter, reason, summary_lines
from .runtime import Runtime, choose
from .setup import lease_times, options_from, plain, policy_from, required, settings_from

ONE_INPUT = {"source": ("face", "box"), "driving": ("start_s", "end_s")}
"""Manifest columns that the command line accepts for a single source or driving."""

WATCHING = {"stop": "this job stops unless it gives no more sign of life", "wait": "this job waits for its end"}
"""What the job says about a living holder of the output, by `on_busy`."""


def prepare(config: DictConfig) -> jobs.Job:
    """Read the manifests and plan the job. Writes nothing."""
    if config.retry not in ("none", "failed", "filtered"):
        raise RefusedError(f"retry={config.retry!r} must be none, failed or filtered")
    output = folder_to_write("output", required(config, "output"))
    given = config.templates
    templates = folder_to_write("templates", given) if given else storage.join(output, "templates")
    sources, drivings = read_inputs(config, "source"), read_inputs(config, "driving")
    pair_table = read_manifest(config.pairs, "pair") if config.pairs else None
    pairs = choose_pairs(config, sources, drivings, pair_table)
    settings = settings_from(config, output, templates)
    if shard := parse_shard(config.shard):
        pairs, pair_table = shard.pairs(pairs, pair_table, sources["uri"])
        settings = replace(settings, shard=shard.name)
    job = jobs.prepare(settings, sources, drivings, pair_table, pairs, policy_from(config))
    for name, failures in (("source", job.plan.sources.failures), ("driving", job.plan.drivings.failures)):
        if config[name] and failures:  # the only input failed, so there is nothing to do
            raise RefusedError(f"{name}: {failures[0].error}")
    return job


def read_inputs(config: DictConfig, kind: Literal["source", "driving"]) -> pa.Table:
    """Read a manifest, or build one from the single input that was given instead."""
    of_one = {name: plain(config[name]) for name in ONE_INPUT[kind] if config[name] is not None}
    if not config[kind]:
        if of_one:
            raise RefusedError(f"{min(of_one)}=… goes with {kind}=…: in a manifest it is a column")
        if not config[f"{kind}s"]:
            raise RefusedError(f"{kind}=… (one) or {kind}s=… (a manifest of many) is missing (see --help)")
        check_many(kind, str(config[f"{kind}s"]))
        return read_manifest(str(config[f"{kind}s"]), kind)
    if config[f"{kind}s"]:
        raise RefusedError(f"{kind}=… and {kind}s=… exclude each other: give one of them")
    check_one(kind, str(config[kind]))
    row = {"uri": str(config[kind]), **of_one}
    if "face" in row:
        row["face"] = str(row["face"])
    try:
        table = pa.Table.from_pylist([row])
    except pa.ArrowInvalid as error:
        raise RefusedError(f"{', '.join(of_one)}: {error}") from error
    return check_manifest(table, kind, where=f"{kind}={config[kind]}")


def choose_pairs(config: DictConfig, sources: pa.Table, drivings: pa.Table, pair_table: pa.Table | None) -> Pairs:
    """Pair by the pairs manifest if there is one, else by the pairing rule."""
    options = options_from(config)
    if pair_table is not None:
        return pairs_from_manifest(pair_table, sources["source_id"], drivings["driving_id"], options)
    rule = plain(config.pairing)
    return pair_up(rule["rule"], len(sources), len(drivings), options, rule.get("per_source", 1), rule.get("seed", 0))


def result_lines(job: jobs.Job) -> list[str]:
    """Describe the result if there is only one pair; of many pairs, the results table tells."""
    if len(job.plan) != 1:
        return []
    plan = job.plan
    row = results.find_row(job.settings.output, plan.pair_id(0), plan.source_id(0), plan.driving_id(0))
    if row["status"] == DONE:
        return [f"{row['status']}:    {storage.display(row['video_uri'])}"]
    return [f"{row['status']} in {row['stage']}: {reason(row)}"]


def run(config: DictConfig) -> int:
    """Plan the job, run it and print a summary. Returns the exit code."""
    decisions = read_decisions(str(config.decisions)) if config.decisions else None  # refused before any work
    job, times = prepare(config), lease_times(config)
    reporter, webhook = make_reporter(str(config.log)), webhook_from(config)
    if config.dry_run:
        show_plan(job, config, reporter, decisions, alone=False)
        for line in [*unstartable_lines(job), *choose(config, len(job.plan.todo)).outlook(job)]:
            reporter.note(line)
        return EXIT_DONE
    choose(config, len(job.plan)).check(job.settings, job.devices)

    def told(holder: Holder) -> None:
        reporter.note(f"the output is held by {holder.describe()}: {WATCHING[config.on_busy]}")

    with occupy(job.settings.output_layout, times, told, job.plan.meta_schema) as lease:
        show_plan(job, config, reporter, decisions)
        if not len(job.plan.todo):
            jobs.settle(job, lease, reporter)
            reporter.note("nothing to do")
            return EXIT_SOME_FAILED if job.plan.n_failed_before else EXIT_DONE
        return work(job, choose(config, len(job.plan.todo)), reporter, lease, webhook)


def show_plan(
    job: jobs.Job, config: DictConfig, reporter: Reporter, decisions: Decisions | None, alone: bool = True
) -> None:
    """Find which pairs the output already settles, and report what the job is going to do."""
    said = decisions.of(job.plan.identities()) if decisions is not None else None
    jobs.leave_out_standing(job, config.retry == "failed", alone, config.retry == "filtered", said)
    for line in [*plan_lines(job), *decided_lines(job.plan, said, decisions)]:
        reporter.note(line)


def work(job: jobs.Job, runtime: Runtime, reporter: Reporter, lease: Lease, webhook: Webhook | None) -> int:
    """Make the pairs, and say how it went: on the terminal, in the output and to the webhook."""
    started, summary, how, watched = datetime.now(UTC), None, "error", Remembering(reporter)
    try:
        runtime.start()
        executor = runtime.executor(Bench(job.settings, job.engine), job.devices, reporter)
        summary = jobs.run(job, executor, watched, lease)
        how = "some_failed" if summary.failed else "complete"
    except KeyboardInterrupt as stop:
        how = "terminated" if was_terminated(stop) else "interrupted"
        raise
    finally:
        runtime.stop()
        for line in tell(describe_run(job.settings, job.engine.label, started, summary, how), job.settings, webhook):
            reporter.note(line)
    failures = watched.failure_lines() if len(job.plan) > 1 else []
    for line in [*summary_lines(summary, job.settings.output), *failures, *result_lines(job)]:
        print(line)
    if summary.unexpected:  # the job is complete, but met errors that no input caused
        return EXIT_ERROR
    return EXIT_SOME_FAILED if summary.failed else EXIT_DONE


def webhook_from(config: DictConfig) -> Webhook | None:
    """Read the webhook's address before any work. Raises RefusedError."""
    return parse_webhook(str(config.webhook), bool(config.webhook_private)) if config.webhook else None


def tell(text: bytes, settings: Settings, webhook: Webhook | None) -> list[str]:
    """Store the summary and POST it to the webhook. Return lines that report this; a problem here does not fail the
    job."""
    try:
        lines = [f"summary: {storage.shown(write_summary(settings, text))}"]
    except (LpRayError, OSError) as error:
        lines = [f"no summary was written: {error}"]
    return [*lines, webhook.post(text)] if webhook else lines


if __name__ == "__main__":
    main("animate", run)
