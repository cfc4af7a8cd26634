"""All paths under an output and under a template store. No other module builds such paths.

Names are made from keys, never from input names.
"""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray import storage


@dataclass(frozen=True)
class OutputLayout:
    """Paths of one output folder. `root` is a normalised URI; the staging paths belong to one `run`, their only writer.

    `shard` names the part of the manifest that the run works on (`lp_ray.plan.shard.Shard.name`); empty means the whole
    manifest. Shards of the same count may write to an output at the same time; each has its own lease and loose rows.
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
        """Loose rows of all runs. Those of a shard are in a folder with the shard's name."""
        return storage.join(self.root, ".lp_ray", "rows")

    @property
    def staging(self) -> str:
        """Holds one folder per run; its name begins with the name of the run's shard."""
        return storage.join(self.root, ".lp_ray", "staging")

    @property
    def own_staging(self) -> str:
        return storage.join(self.staging, f"{self.shard}.{self.run}" if self.shard else self.run)

    @property
    def lease(self) -> str:
        """The lease of this shard, or of the whole output; see lease.py."""
        return self.lease_of(self.shard)

    @property
    def shard_leases(self) -> str:
        """Holds one lease folder for each shard that was ever used."""
        return storage.join(self.root, ".lp_ray", "lease", "shards")

    @property
    def table_lease(self) -> str:
        """The lease that a shard holds while it changes the results table."""
        return storage.join(self.root, ".lp_ray", "lease", "table")

    def lease_of(self, shard: str) -> str:
        return storage.join(self.shard_leases, shard) if shard else storage.join(self.root, ".lp_ray", "lease")

    def is_beside(self, shard: str) -> bool:
        """Return whether a run on `shard` (empty: the whole) may work at the same time: the two share no pair."""
        own, other = self.shard.partition("-of-"), shard.partition("-of-")
        return bool(own[2]) and own[2] == other[2] and own[0] != other[0]

    @property
    def compaction(self) -> str:
        """Merged parts of the results table that have not replaced the small ones yet; see parts.py."""
        return storage.join(self.root, ".lp_ray", "compaction")

    @property
    def history(self) -> str:
        """Rows made from input files that were replaced later; see reconcile.py."""
        return storage.join(self.root, "history")

    @property
    def selections(self) -> str:
        """Which pairs were chosen for a data set; see lp_ray/dataset/selection.py."""
        return storage.join(self.root, "selections")

    def selection(self, name: str) -> str:
        return storage.join(self.selections, f"{name}.parquet")

    @property
    def summaries(self) -> str:
        """The summaries of all runs."""
        return storage.join(self.root, "summaries")

    @property
    def summary(self) -> str:
        """The summary of a run, as JSON; see report/summary.py."""
        return storage.join(self.summaries, f"{self.run}.json")

    @property
    def comparisons(self) -> str:
        """Comparisons: driving, source and result side by side."""
        return storage.join(self.root, "comparisons")

    @property
    def labels(self) -> str:
        """Labels: one Parquet file for each pair."""
        return storage.join(self.root, "labels")

    @property
    def arrays(self) -> str:
        """Pictures and clips that a program handed over as arrays, named by their content."""
        return storage.join(self.root, "arrays")

    @property
    def tracebacks(self) -> str:
        """Tracebacks of unexpected errors, one text file for each pair that met one."""
        return storage.join(self.root, "tracebacks")

    def result(self, pair_id: str, suffix: str) -> str:
        """The result of a pair; `suffix` is that of its format."""
        return storage.join(self.videos, pair_id + suffix)

    def comparison(self, pair_id: str, suffix: str) -> str:
        return storage.join(self.comparisons, pair_id + suffix)

    def sidecar(self, name: str, pair_id: str, suffix: str) -> str:
        """A pair's file of the sidecar `name`."""
        return storage.join(self.root, name, pair_id + suffix)

    def labels_of(self, pair_id: str) -> str:
        return storage.join(self.labels, f"{pair_id}.parquet")

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

    def asked_part(self, pair_id: str, index: int) -> str:
        """What a chunk was asked to show, for labels and metrics."""
        return storage.join(self.staged(pair_id), f"{index:07d}.lp_ray-asked.safetensors")


@dataclass(frozen=True)
class TemplateLayout:
    """Paths of one template store. `root` is a normalised URI; the staging paths belong to one `run` of many."""

    root: str
    run: str = ""

    @property
    def staging(self) -> str:
        """Holds one folder for each run that is filling the store, or that died while filling it."""
        return storage.join(self.root, ".staging")

    @property
    def own_staging(self) -> str:
        return storage.join(self.staging, self.run)

    @property
    def lease(self) -> str:
        """The lease of a run, in its staging folder; it shows that the run is alive. See lease.py."""
        return self.lease_of(self.own_staging)

    @staticmethod
    def lease_of(own_staging: str) -> str:
        return storage.join(own_staging, "lease")

    def template(self, key: str) -> str:
        return storage.join(self.root, f"{key}.npz")

    def faces(self, key: str) -> str:
        """The faces found in a picture of an animal; see stages/animals.py."""
        return storage.join(self.root, "faces", f"{key}.json")

    @property
    def all_tracks(self) -> str:
        """What was measured on drivings; see stages/measuring/driving.py."""
        return storage.join(self.root, "tracks")

    def tracks(self, key: str) -> str:
        return storage.join(self.all_tracks, f"{key}.npz")

    def staged(self, key: str) -> str:
        return storage.join(self.own_staging, key)

    def part(self, key: str, index: int) -> str:
        return storage.join(self.staged(key), f"{index:07d}.npz")
