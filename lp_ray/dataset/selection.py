"""Selections: which pairs of an output stay, and why others do not: Parquet files under `<output>/selections/`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest
from lp_ray.dataset.choose import Judged
from lp_ray.dataset.lookup import Texts
from lp_ray.output.identity import IDENTITY, identities
from lp_ray.output.layout import OutputLayout
from lp_ray.storage.guard import guarded

SCHEMA = pa.schema([*((name, pa.string()) for name in IDENTITY), ("kept", pa.bool_()), ("reason", pa.string())])
_CONDITIONS = b"lp_ray.conditions"
_NAME = re.compile(r"\w[\w.-]{0,99}")


@dataclass(frozen=True)
class Counts:
    """How many pairs stay, and for each reason how many do not."""

    kept: int
    reasons: Counter[str]

    @property
    def total(self) -> int:
        return self.kept + self.reasons.total()


def selection_name(typed: str) -> str:
    """Return a selection's name, with or without `.parquet`. Raises RefusedError for a path."""
    name = typed.removesuffix(".parquet")
    if not _NAME.fullmatch(name):
        raise RefusedError(
            f"{typed!r} must be a name of letters, digits, dots and dashes: selections lie under <output>/selections/"
        )
    return name


def write_selection(layout: OutputLayout, name: str, judged: Iterable[Judged], conditions: Sequence[str]) -> Counts:
    """Write a selection, replacing one of the same name, whole or not at all. Return the counts."""
    kept, reasons = 0, Counter[str]()
    with TemporaryDirectory(prefix="lp_ray-selection-") as folder:
        path = Path(folder) / "selection.parquet"
        schema = SCHEMA.with_metadata({_CONDITIONS: "\n".join(conditions).encode()})
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in judged:
                verdicts = {"kept": pa.array(batch.kept), "reason": pa.array(batch.reasons, pa.string())}
                ids = {column: batch.rows[column].cast(pa.string()) for column in IDENTITY}
                writer.write_table(pa.table({**ids, **verdicts}, schema=schema))
                kept += int(batch.kept.sum())
                reasons.update(reason for reason in batch.reasons if reason is not None)
        storage.put_file(path, layout.selection(name))
    return Counts(kept, reasons)


@dataclass(frozen=True)
class Selection:
    """The pairs that stay, by their `identities`. `conditions` chose them."""

    name: str
    pairs: Texts
    conditions: tuple[str, ...]

    def has(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Return whether each row of the results stays."""
        return self.pairs.has(identities(rows))


def read_selection(layout: OutputLayout, name: str) -> Selection:
    """Read a selection; 16 bytes of memory for each pair that stays. Raises RefusedError if there is none."""
    uri = layout.selection(name)
    if not storage.exists(uri):
        known = [storage.name_of(info.uri).removesuffix(".parquet") for info in storage.list_files(layout.selections)]
        raise RefusedError(f"selection={name}: there is none{nearest(name, known)} (lp-ray filter makes them)")
    return _read(uri, name)


@guarded
def _read(uri: str, name: str) -> Selection:
    with storage.open_read(uri) as file:
        part = pq.ParquetFile(file)
        said = (part.schema_arrow.metadata or {}).get(_CONDITIONS, b"").decode()
        batches = part.iter_batches(65536, columns=[*IDENTITY, "kept"])
        chosen = Texts(identities(pa.Table.from_batches([batch.filter(batch["kept"])])) for batch in batches)
    return Selection(name, chosen, tuple(said.splitlines()))
