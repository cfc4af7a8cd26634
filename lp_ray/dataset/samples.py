"""The samples of a shard: facts, video and labels of each, read one after the other and checked against their row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lp_ray import storage
from lp_ray.base.errors import MissingInputError, StoppedError
from lp_ray.base.limits import OURS
from lp_ray.dataset.facts import facts
from lp_ray.dataset.labels import COLUMN, read_pair_labels
from lp_ray.labels.file import Labels


@dataclass(frozen=True)
class Sample:
    """One pair of the data set. `side` is in `facts` as `split`."""

    key: str
    facts: dict[str, Any]
    video_uri: str
    sha256: str | None
    labels_uri: str | None

    @contextmanager
    def video(self) -> Iterator[Path]:
        """Yield a local path of the video. Raises StoppedError if it is missing, or not the one that its row states."""
        try:
            with storage.local_copy(self.video_uri, OURS) as path:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                if self.sha256 not in (None, found):
                    raise StoppedError(f"{self._said} is not the file that its row states: its sha256 is {found}")
                yield path
        except MissingInputError as error:
            raise StoppedError(f"{self._said} is gone since the export began: run the job again") from error

    @property
    def _said(self) -> str:
        return f"{storage.shown(self.video_uri)} (pair {self.key})"

    def labels(self) -> Labels | None:
        """Return the labels of the pair; None if it has none."""
        return None if self.labels_uri is None else read_pair_labels(self.labels_uri)


def samples(rows: pa.Table, side: str, labels: bool) -> Iterator[Sample]:
    """Yield the samples of a shard's rows, in order; without `labels` theirs are left out."""
    ids, videos, hashes = (rows[name].to_pylist() for name in ("pair_id", "video_uri", "sha256"))
    of_labels = rows[COLUMN].to_pylist() if labels and COLUMN in rows.column_names else [None] * rows.num_rows
    for key, known, video, sha256, uri in zip(ids, facts(rows), videos, hashes, of_labels, strict=True):
        yield Sample(key, {**known, "split": side}, video, sha256, uri)
