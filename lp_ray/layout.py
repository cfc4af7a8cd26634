"""Where things lie under an output and under a template store: the one place for path rules.

Names are made of keys only, never of input names.
"""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray import storage


@dataclass(frozen=True)
class OutputLayout:
    """Paths of one output folder (a normalised URI)."""

    root: str

    @property
    def videos(self) -> str:
        return storage.join(self.root, "videos")

    @property
    def results(self) -> str:
        return storage.join(self.root, "results")

    @property
    def rows(self) -> str:
        """Result rows of finished pairs that are not in the results table yet, one small Arrow file each."""
        return storage.join(self.root, ".lp_ray", "rows")

    @property
    def staging(self) -> str:
        return storage.join(self.root, ".lp_ray", "staging")

    @property
    def lease(self) -> str:
        """Who is working here; see coordinator/lease.py."""
        return storage.join(self.root, ".lp_ray", "lease")

    @property
    def compaction(self) -> str:
        """Parts of the results table on their way to taking the place of smaller ones; see results.py."""
        return storage.join(self.root, ".lp_ray", "compaction")

    def video(self, pair_id: str) -> str:
        return storage.join(self.videos, f"{pair_id}.mp4")

    def row(self, pair_id: str) -> str:
        return storage.join(self.rows, f"{pair_id}.arrow")

    def staged(self, pair_id: str) -> str:
        return storage.join(self.staging, pair_id)

    def segment(self, pair_id: str, index: int) -> str:
        return storage.join(self.staged(pair_id), f"{index:07d}.mp4")


@dataclass(frozen=True)
class TemplateLayout:
    """Paths of one template store (a normalised URI)."""

    root: str

    def template(self, key: str) -> str:
        return storage.join(self.root, f"{key}.npz")

    def staged(self, key: str) -> str:
        return storage.join(self.root, ".staging", key)

    def part(self, key: str, index: int) -> str:
        return storage.join(self.staged(key), f"{index:07d}.npz")
