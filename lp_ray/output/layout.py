"""Where things lie under an output and under a template store: the one place for path rules.

Names are made of keys only, never of input names.
"""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray import storage


@dataclass(frozen=True)
class OutputLayout:
    """Paths of one output folder (a normalised URI); those of staging are of one `run`, which nobody else writes to.

    `shard` is the name of the part of the manifest that the run works on (`lp_ray.plan.shard.Shard.name`), empty for
    the whole: shards of one count write to an output side by side, each with a lease and loose rows of its own.
    """

    root: str
    run: str = ""
    shard: str = ""

    @property
    def videos(self) -> str:
        return storage.join(self.root, "videos")

    @property
    def results(self) -> str:
        return storage.join(self.root, "results")

    @property
    def rows(self) -> str:
        """Result rows of finished pairs that are not in the results table yet, one small Arrow file each."""
        return storage.join(self.all_rows, self.shard) if self.shard else self.all_rows

    @property
    def all_rows(self) -> str:
        """Those of every shard, each in its folder, and those of runs on the whole."""
        return storage.join(self.root, ".lp_ray", "rows")

    @property
    def staging(self) -> str:
        """A folder for each run, its name begun with that of its shard."""
        return storage.join(self.root, ".lp_ray", "staging")

    @property
    def own_staging(self) -> str:
        return storage.join(self.staging, f"{self.shard}.{self.run}" if self.shard else self.run)

    @property
    def lease(self) -> str:
        """Who is working here, on this shard or on the whole; see lease.py."""
        return self.lease_of(self.shard)

    @property
    def shard_leases(self) -> str:
        """A folder for the lease of every shard there ever was."""
        return storage.join(self.root, ".lp_ray", "lease", "shards")

    @property
    def table_lease(self) -> str:
        """Which of several shards is changing the results table."""
        return storage.join(self.root, ".lp_ray", "lease", "table")

    def lease_of(self, shard: str) -> str:
        return storage.join(self.shard_leases, shard) if shard else storage.join(self.root, ".lp_ray", "lease")

    def is_beside(self, shard: str) -> bool:
        """Whether another run may work on `shard` (empty: the whole) while this one goes on: they share no pair."""
        own, other = self.shard.partition("-of-"), shard.partition("-of-")
        return bool(own[2]) and own[2] == other[2] and own[0] != other[0]

    @property
    def compaction(self) -> str:
        """Parts of the results table on their way to taking the place of smaller ones; see results.py."""
        return storage.join(self.root, ".lp_ray", "compaction")

    @property
    def history(self) -> str:
        """Rows of what input files held before they were replaced; see reconcile.py."""
        return storage.join(self.root, "history")

    @property
    def summary(self) -> str:
        """How a run went, as JSON; see report/summary.py."""
        return storage.join(self.root, "summaries", f"{self.run}.json")

    @property
    def comparisons(self) -> str:
        """Drivings, sources and results side by side."""
        return storage.join(self.root, "comparisons")

    @property
    def tracebacks(self) -> str:
        """Where unexpected errors came from, a text for each pair that met one."""
        return storage.join(self.root, "tracebacks")

    def result(self, pair_id: str, suffix: str) -> str:
        """What a pair is made into; `suffix` is its format's."""
        return storage.join(self.videos, pair_id + suffix)

    def comparison(self, pair_id: str, suffix: str) -> str:
        return storage.join(self.comparisons, pair_id + suffix)

    def sidecar(self, name: str, pair_id: str, suffix: str) -> str:
        """What a sidecar keeps of a pair."""
        return storage.join(self.root, name, pair_id + suffix)

    def traceback(self, pair_id: str) -> str:
        return storage.join(self.tracebacks, f"{pair_id}.txt")

    def row(self, pair_id: str) -> str:
        return storage.join(self.rows, f"{pair_id}.arrow")

    def staged(self, pair_id: str) -> str:
        return storage.join(self.own_staging, pair_id)

    def segment(self, pair_id: str, index: int, suffix: str) -> str:
        return storage.join(self.staged(pair_id), f"{index:07d}{suffix}")

    def compared_segment(self, pair_id: str, index: int, suffix: str) -> str:
        return storage.join(self.staged(pair_id), f"{index:07d}.comparison{suffix}")

    def sidecar_part(self, name: str, pair_id: str, index: int, suffix: str) -> str:
        return storage.join(self.staged(pair_id), f"{index:07d}.{name}{suffix}")


@dataclass(frozen=True)
class TemplateLayout:
    """Paths of one template store (a normalised URI); those of staging are of one `run`, as many fill one store."""

    root: str
    run: str = ""

    @property
    def staging(self) -> str:
        """A folder for each run that fills the store now, or died of it."""
        return storage.join(self.root, ".staging")

    @property
    def own_staging(self) -> str:
        return storage.join(self.staging, self.run)

    @property
    def lease(self) -> str:
        """The sign of life of a run, beside its pieces; see lease.py."""
        return self.lease_of(self.own_staging)

    @staticmethod
    def lease_of(own_staging: str) -> str:
        return storage.join(own_staging, "lease")

    def template(self, key: str) -> str:
        return storage.join(self.root, f"{key}.npz")

    def faces(self, key: str) -> str:
        """What was found in the picture of an animal; see stages/animals.py."""
        return storage.join(self.root, "faces", f"{key}.json")

    def staged(self, key: str) -> str:
        return storage.join(self.own_staging, key)

    def part(self, key: str, index: int) -> str:
        return storage.join(self.staged(key), f"{index:07d}.npz")
