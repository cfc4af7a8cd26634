"""lp_ray in the middle of somebody's own Ray Data pipeline.

    python examples/own_pipeline.py PORTRAITS CLIP OUTPUT

A dataset of portraits is filtered, every portrait that is left is animated with a clip, on the same Ray cluster, and
the results are a dataset again, which the next step reads.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ray

from lp_ray import LivePortraitPipeline

LEAST_BYTES = 10_000


def large_enough(row: dict[str, Any]) -> bool:
    """Somebody's own filter: thumbnails are left out."""
    return Path(row["uri"]).stat().st_size >= LEAST_BYTES


def described(row: dict[str, Any]) -> dict[str, Any]:
    """Somebody's own next step: one line about each result."""
    return {"line": f"{row['source_id']}: {row['n_frames']} frames, {row['meta_set']}"}


def main(portraits: str, clip: str, output: str) -> list[str]:
    """Animate a folder's portraits with a clip, and return a line for each."""
    ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
    files = [
        {"uri": str(path), "source_id": path.stem, "meta_set": "demo"} for path in sorted(Path(portraits).glob("*"))
    ]
    sources = ray.data.from_items(files).filter(large_enough)
    drivings = [{"uri": clip, "end_s": 0.4}]
    made = LivePortraitPipeline(engine="preview").animate_many(sources, drivings, output, crf=22)
    done = ray.data.from_arrow(made).filter(lambda row: row["status"] == "done")
    return sorted(row["line"] for row in done.map(described).take_all())


if __name__ == "__main__":
    print("\n".join(main(*sys.argv[1:])))
