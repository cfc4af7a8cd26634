"""Decisions of people, as a gallery's page writes them: a CSV with a row for each pair that was kept or rejected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from lp_ray import storage
from lp_ray.base.errors import MissingInputError, RefusedError
from lp_ray.contract.result_schema import DONE
from lp_ray.contract.tables import read_table
from lp_ray.dataset.choose import Judged
from lp_ray.output.identity import IDENTITY, identities
from lp_ray.plan.said import Said

KEEP, REJECT = "keep", "reject"
BY_EYE = "rejected by eye"


@dataclass(frozen=True)
class Decisions:
    """Pairs by their identity, joined, and for each whether it is kept. `text` says where they are from."""

    pairs: pa.Array
    kept: pa.Array
    text: str

    def __len__(self) -> int:
        return len(self.pairs)

    def of(self, rows: pa.Table) -> Said:
        """Return what was decided of rows that have the columns of IDENTITY."""
        at = pc.index_in(identities(rows), self.pairs)
        known = at.is_valid().to_numpy(zero_copy_only=False)
        if not len(self.pairs):
            return Said(known, known)
        kept = known & self.kept.take(at.fill_null(0)).to_numpy(zero_copy_only=False)
        return Said(kept, known & ~kept)


def read_decisions(typed: str) -> Decisions:
    """Read a file of decisions. Raises RefusedError for one that is not such a file, or decides a pair twice."""
    try:
        table = read_table(storage.normalise(typed), f"decisions={typed}")
    except MissingInputError as error:
        raise RefusedError(f"decisions: {storage.absence(typed)}") from error
    if lacking := [name for name in (*IDENTITY, "kept") if name not in table.column_names]:
        raise RefusedError(f"decisions={typed}: no column {lacking[0]!r}; a gallery's page writes such a file")
    words = table["kept"].cast(pa.string()).combine_chunks()
    known = pc.is_in(words, pa.array([KEEP, REJECT]))
    if not pc.all(known).as_py():
        row = pc.index(known, False).as_py()
        raise RefusedError(f"decisions={typed}, row {row}: kept={words[row].as_py()!r} must be {KEEP} or {REJECT}")
    pairs = identities(table).combine_chunks()
    if len(pairs.unique()) < len(pairs):
        raise RefusedError(f"decisions={typed}: a pair is decided twice; take one of its rows out")
    return Decisions(pairs, pc.equal(words, KEEP), f"decisions of {storage.shown(storage.normalise(typed))}")


def decided(judged: Iterable[Judged], decisions: Decisions) -> Iterator[Judged]:
    """Yield what was judged, with the pairs that somebody decided kept or left out as they said.

    A pair without a result stays out, whatever was said of it.
    """
    for batch in judged:
        said = decisions.of(batch.rows)
        done = pc.fill_null(pc.equal(batch.rows["status"], DONE), False).to_numpy()
        kept, rejected = said.kept & done, said.rejected & done
        reasons = batch.reasons.copy()
        reasons[kept], reasons[rejected] = None, BY_EYE
        kept = (batch.kept | kept) & ~rejected
        yield replace(batch, kept=kept, reasons=reasons)
