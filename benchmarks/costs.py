"""What 1,000 pairs cost and how many nodes keep each other busy: `python -m benchmarks.costs OUTPUT [PRICES.yaml]`.

OUTPUT is a job's output: the seconds that its stages worked for each pair stand in its results table. Run a job of a
few dozen pairs of your own kind, on the kind of nodes you mean to rent, and give its output here.

CPU seconds (template tracking, source, write, finalize) go to CPU nodes, seconds of the engine (extract, animate) to a
GPU where the job had one, else to CPU nodes, too. `seconds.template` holds tracking and extraction together; it is
counted once per template, with the CPU part: one template serves all pairs of its driving.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import yaml

from lp_ray.contract.result_schema import DONE
from lp_ray.output.results import read_results

PRICES = Path(__file__).with_name("prices.yaml")


@dataclass(frozen=True)
class Work:
    """Mean seconds per pair, and what a pair is on average."""

    pairs: int
    frames: float
    cpu_s: float
    engine_s: float


def measure(output: str) -> Work:
    """Read what a job's done pairs took. Raises SystemExit for a table without any."""
    table = read_results(output)
    rows = table.filter(pc.field("status") == DONE).select(["seconds", "n_frames", "template_uri"]).to_pylist()
    if not rows:
        raise SystemExit(f"{output}: no pair is done there")
    seconds = [{stage: spent or 0.0 for stage, spent in row["seconds"].items()} for row in rows]
    templates = {row["template_uri"]: spent["template"] for row, spent in zip(rows, seconds, strict=True)}
    cpu = sum(spent[stage] for spent in seconds for stage in ("source", "write", "finalize")) + sum(templates.values())
    engine = sum(spent["animate"] for spent in seconds)
    frames = sum(row["n_frames"] for row in rows)
    return Work(len(rows), frames / len(rows), cpu / len(rows), engine / len(rows))


def estimate(work: Work, prices: dict[str, Any], gpu: bool) -> list[str]:
    """Return the table of costs, a line a row."""
    cpu_node, gpu_node = prices["cpu_node"], prices["gpu_node"]
    cpu_s = work.cpu_s + (0.0 if gpu else work.engine_s)
    cpu_hours = 1000 * cpu_s / 3600 / cpu_node["cpus"] / prices["busy"]
    gpu_hours = 1000 * work.engine_s / 3600 / gpu_node["gpus"] / prices["busy"] if gpu else 0.0
    if gpu:  # a GPU node's own CPUs work, too
        cpu_hours = max(0.0, cpu_hours - gpu_hours * (gpu_node["cpus"] - gpu_node["gpus"]) / cpu_node["cpus"])
    nodes = [(cpu_node, cpu_hours), (gpu_node, gpu_hours)]
    money = sum(node["per_hour"] * hours for node, hours in nodes)
    lines = [
        f"measured on {work.pairs} pairs of {work.frames:.0f} frames on average",
        f"per pair: {cpu_s:.2f} CPU seconds, {work.engine_s if gpu else 0.0:.2f} GPU seconds",
        *(f"per 1,000 pairs: {hours:.2f} hours of {node['name']}" for node, hours in nodes if hours),
        f"per 1,000 pairs: {money:.2f} {prices['currency']} on demand, "
        f"{money * (1 - prices['spot_discount']):.2f} on spot, nodes busy {prices['busy']:.0%} of the time",
    ]
    if gpu:
        lines.append(f"pools: {cpu_hours / gpu_hours:.1f} {cpu_node['name']} for each {gpu_node['name']}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__.partition("\n")[0])
    parser.add_argument("output", help="a job's output: a folder or URI")
    parser.add_argument("prices", nargs="?", type=Path, default=PRICES, help="default: %(default)s")
    parser.add_argument("--gpu", action="store_true", help="the job's engine ran on a GPU")
    given = parser.parse_args()
    print("\n".join(estimate(measure(given.output), yaml.safe_load(given.prices.read_text()), given.gpu)))


if __name__ == "__main__":
    main()
