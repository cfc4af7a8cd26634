"""What labels and metrics cost: `python -m benchmarks.labels [SOURCE DRIVING [SECONDS]]`.

Makes one pair in this process (engine=preview, without Ray) at each level, warm: models are loaded, the driving is
tracked and measured. CPU time is that of this process and of its ended children, so ffmpeg counts. By default source
and driving are made by code.
"""

from __future__ import annotations

import os
import sys
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import jobs  # noqa: F401 - sets the number of numpy's threads, as every job does; must come before numpy

LEVELS: tuple[dict[str, str], ...] = (
    {},
    {"labels": "asked"},
    {"metrics": "fast"},
    {"labels": "full"},
    {"metrics": "full"},
    {"labels": "full", "metrics": "full"},
)


def cpu_s() -> float:
    """Return the CPU seconds of this process and of its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def made_by_code(folder: Path) -> tuple[Path, Path]:
    """Return a portrait (512 x 512) and a driving of four seconds, with sound."""
    import skimage.data

    from lp_ray.acting.film import film_performance
    from lp_ray.media.images import write_image

    actor = skimage.data.astronaut()
    write_image(folder / "portrait.png", actor)
    film_performance(folder / "driving.mp4", "talk", actor, Fraction(25), 100, sound=True)
    return folder / "portrait.png", folder / "driving.mp4"


def main(folder: Path, source: Path, driving: Path, end_s: float | None) -> None:
    """Print what each level costs per frame, and which share of the pair's CPU seconds that is."""
    from lp_ray import LivePortraitPipeline

    def make(settings: dict[str, str], output: str) -> tuple[float, int, int]:
        pipeline = LivePortraitPipeline(engine="preview", **settings)  # type: ignore[arg-type]
        began = cpu_s()
        row = pipeline.animate(source, driving, folder / output, templates=folder / "store", end_s=end_s)
        labels = folder / output / "labels" / f"{row['pair_id']}.parquet"
        return cpu_s() - began, row["n_frames"], labels.stat().st_size if labels.exists() else 0

    make(LEVELS[-1], "warm")
    plain, n, _ = make(LEVELS[0], "plain")
    print(f"{n} frames; without labels and metrics {1000 * plain / n:.1f} ms of CPU a frame")
    for number, settings in enumerate(LEVELS[1:]):
        spent, _, size = make(settings, str(number))
        name = " ".join(f"{key}={value}" for key, value in settings.items())
        cost, share = 1000 * (spent - plain) / n, 100 * (spent - plain) / spent
        print(f"{name:<26} {cost:6.1f} ms a frame, {share:3.0f} % of the pair, {size / n:7.0f} bytes")


if __name__ == "__main__":
    with TemporaryDirectory(prefix="lp_ray-bench-") as name:
        given = [Path(argument) for argument in sys.argv[1:3]] or made_by_code(Path(name))
        main(Path(name), given[0], given[1], float(sys.argv[3]) if len(sys.argv) > 3 else None)
