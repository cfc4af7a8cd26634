"""Render the manifests from the values, and check them: `python -m deploy.render --help`.

Nothing is written unless everything is sound.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import yaml

from deploy.check import problems
from deploy.manifests import one_run, schedule
from deploy.pods import Manifest
from deploy.values import DEFAULT_VALUES, Values, load_values, ray_version
from jobs.exit_codes import EXIT_DONE, EXIT_REFUSED
from lp_ray.base.errors import RefusedError


class _Dumper(yaml.SafeDumper):
    """Plain YAML: texts of several lines as blocks, no anchors for what happens to be the same object."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def render(values: Values, day: date, shard: int) -> dict[str, list[Manifest]]:
    """Return file name -> manifests. Raises RefusedError with every problem found."""
    if not 0 <= shard < values.schedule.shards:
        raise RefusedError(f"shard {shard}: there are {values.schedule.shards} (schedule.shards), counted from 0")
    files = {"rayjob.yaml": [one_run(values, day, shard)], "schedule.yaml": schedule(values)}
    found = [problem for manifests in files.values() for manifest in manifests for problem in problems(manifest)]
    if found:
        raise RefusedError("\n  ".join(["Kubernetes would not take this:", *found]))
    return files


def build_command(values: Values) -> str:
    """Return the command that builds the image the manifests name."""
    return f"docker build -f deploy/Dockerfile --build-arg RAY_VERSION={ray_version()} -t {values.image_name} ."


def dump(manifests: Sequence[Manifest]) -> str:
    """Return manifests as one YAML file."""
    return "---\n".join(yaml.dump(m, Dumper=_Dumper, sort_keys=False, width=120) for m in manifests)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read values, write manifests, say what to do with them."""
    parser = argparse.ArgumentParser(prog="python -m deploy.render", description="Kubernetes manifests of lp_ray.")
    parser.add_argument("--values", type=Path, default=DEFAULT_VALUES, help="default: %(default)s")
    parser.add_argument("--output", type=Path, required=True, help="folder for rayjob.yaml and schedule.yaml")
    parser.add_argument(
        "--date", type=date.fromisoformat, default=datetime.now(UTC).date(), help="{date} of rayjob.yaml"
    )
    parser.add_argument("--shard", type=int, default=0, help="{shard} of rayjob.yaml")
    given = parser.parse_args(arguments)
    try:
        values = load_values(given.values)
        files = render(values, given.date, given.shard)
    except (RefusedError, OSError, yaml.YAMLError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return EXIT_REFUSED
    given.output.mkdir(parents=True, exist_ok=True)
    for name, manifests in files.items():
        (given.output / name).write_text(dump(manifests))
    print(f"image:    {build_command(values)}")
    print(f"one run:  kubectl create -f {given.output / 'rayjob.yaml'}")
    print(f"schedule: kubectl apply -f {given.output / 'schedule.yaml'}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
