"""Performance tables, Parquet and CSV."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.fuzz.columns import strange_parquet
from benchmarks.fuzz.kinds import Case, Samples
from benchmarks.fuzz.mutations import Dice, mutate, mutate_text
from benchmarks.fuzz.names import name
from lp_ray.acting.generate import natural
from lp_ray.motion.performance_io import read_performance, write_csv, write_parquet


class Performances:
    """Drivings that are tables of controls over time."""

    def make_samples(self, folder: Path) -> None:
        made = natural(1, 0, 1.0, Fraction(30000, 1001))
        (folder / "natural.perf.parquet").write_bytes(write_parquet(made))
        (folder / "natural.csv").write_bytes(write_csv(made))
        (folder / "few.csv").write_bytes(b"# fps=25\nframe,eyes_open,smile\n0,0.3,\n5,,1\n9,0.1,0\n")

    def make(self, dice: Dice, samples: Samples) -> Case:
        chosen = dice.of(list(samples))
        data, path = samples[chosen], name(dice, "." + chosen.partition(".")[2])
        if dice.chance(0.03) and chosen != "few.csv":
            return Case({path: data}, path, f"{chosen} as it is", sound=True)
        if chosen.endswith("csv"):
            data, how = mutate_text(data, dice) if dice.chance(0.7) else mutate(data, dice, list(samples.values()))
        elif dice.chance(0.5):
            data, how = mutate(data, dice, list(samples.values()))
        else:
            table = pq.read_table(io.BytesIO(data))
            data, how = strange_parquet(table, ["time", "frame", "smile", "blink"], dice)
        return Case({path: data}, path, f"{chosen}: {how}")

    def read(self, path: Path, case: Case, output: Path) -> None:
        """Read the table and sample it."""
        performance = read_performance(path.read_bytes())
        performance.sample(0, min(len(performance), 1000))
