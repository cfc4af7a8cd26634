"""Decide which source is paired with which driving: by the rule cross, zip or random, or by a pairs manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError
from lp_ray.contract.casts import COLUMN, ids_of
from lp_ray.contract.columns import distinct
from lp_ray.contract.manifest import option_columns
from lp_ray.contract.option_values import override
from lp_ray.contract.options import PairOptions

PairingRule = Literal["cross", "zip", "random"]


@dataclass(frozen=True)
class Cast:
    """Which driving each face takes: rows of the drivings manifest (None: the face stays as it is), and the cast as its
    text (`lp_ray.contract.casts`)."""

    rows: tuple[int | None, ...]
    text: str

    @property
    def members(self) -> list[int]:
        """The rows of its drivings, in the order of the faces."""
        return [row for row in self.rows if row is not None]


@dataclass(frozen=True)
class Pairs:
    """Pairs as row numbers of the two manifests, in manifest order.

    `option_sets[option_index[i]]` are the options of pair i. There are few distinct option sets, however many pairs.
    The rows of `casts` follow those of the drivings manifest.
    """

    source_index: NDArray[np.int64]
    driving_index: NDArray[np.int64]
    option_index: NDArray[np.int64]
    option_sets: tuple[PairOptions, ...]
    casts: tuple[Cast, ...] = ()

    def __len__(self) -> int:
        return len(self.source_index)


def pair_up(
    rule: PairingRule,
    n_sources: int,
    n_drivings: int,
    options: PairOptions,
    per_source: int = 1,
    seed: int = 0,
) -> Pairs:
    """Pair sources and drivings by a rule.

    `cross`: every source with every driving. `zip`: row i with row i; the counts must be equal. `random`: `per_source`
    different drivings for each source; the same seed gives the same drivings. Raises RefusedError.
    """
    if rule == "cross":
        source, driving = np.divmod(np.arange(n_sources * n_drivings), n_drivings)
    elif rule == "zip":
        if n_sources != n_drivings:
            raise RefusedError(
                f"pairing=zip needs as many drivings as sources, not {n_sources} sources and {n_drivings} drivings"
            )
        source = driving = np.arange(n_sources)
    elif rule == "random":
        if not isinstance(seed, int) or seed < 0:
            raise RefusedError(f"pairing.seed={seed!r} must be 0 or more")
        if not 1 <= per_source <= n_drivings:
            raise RefusedError(
                f"pairing.per_source={per_source} must be between 1 and the number of drivings, {n_drivings}"
            )
        source, driving = _random(n_sources, n_drivings, per_source, seed)
    else:
        raise RefusedError(f"pairing={rule!r} must be cross, zip or random (or give pairs=…)")
    return Pairs(source, driving, np.zeros(len(source), np.int64), (options,))


def pairs_from_manifest(
    pairs: pa.Table,
    source_ids: Sequence[str] | pa.ChunkedArray,
    driving_ids: Sequence[str] | pa.ChunkedArray,
    options: PairOptions,
) -> Pairs:
    """Return the pairs of a pairs manifest. Its option columns override `options`.

    Raises RefusedError, which names the row, for a bad option or for an id that the manifests do not have.
    """
    source = _look_up(pairs, "source_id", source_ids)
    driving, casts = _drivings(pairs, driving_ids)
    columns = option_columns(pairs)
    if not columns:
        return Pairs(source, driving, np.zeros(len(source), np.int64), (options,), casts)
    first, combination = distinct([pairs[name] for name in columns])
    sets: dict[PairOptions, int] = {}
    index = np.zeros(len(first), np.int64)
    for code in np.argsort(first).tolist():  # in order of first appearance, so that an error names the first bad row
        row = int(first[code])
        values = {name: pairs[name][row].as_py() for name in columns}
        index[code] = sets.setdefault(override(options, values, f"pairs manifest row {row}"), len(sets))
    return Pairs(source, driving, index[combination], tuple(sets), casts)


def _drivings(
    pairs: pa.Table, driving_ids: Sequence[str] | pa.ChunkedArray
) -> tuple[NDArray[np.int64], tuple[Cast, ...]]:
    """Return each pair's row among the drivings and the casts behind them, and the casts."""
    texts = pairs[COLUMN].combine_chunks() if COLUMN in pairs.column_names else pa.nulls(len(pairs), pa.string())
    if texts.null_count == len(texts):
        return _look_up(pairs, "driving_id", driving_ids), ()
    rows = {name: row for row, name in enumerate(_listed(driving_ids))}
    coded = texts.dictionary_encode()
    casts = []
    for text in coded.dictionary.to_pylist():
        ids = ids_of(text)
        if unknown := [name for name in ids if name is not None and name not in rows]:
            row = pc.index(texts, text).as_py()
            raise RefusedError(f"pairs manifest row {row}: {COLUMN}: {unknown[0]!r} is not in the drivings manifest")
        casts.append(Cast(tuple(None if name is None else rows[name] for name in ids), text))
    index = coded.indices.to_numpy(zero_copy_only=False)
    cast = texts.is_valid().to_numpy(zero_copy_only=False)
    driving = np.zeros(len(pairs), np.int64)
    driving[cast] = index[cast].astype(np.int64) + len(rows)
    places = np.flatnonzero(~cast)
    driving[places] = _look_up(pairs, "driving_id", driving_ids, places)
    return driving, tuple(casts)


def _listed(ids: Sequence[str] | pa.ChunkedArray) -> Sequence[str]:
    return ids.to_pylist() if isinstance(ids, pa.Array | pa.ChunkedArray) else ids


def _random(n_sources: int, n_drivings: int, per_source: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Sample drivings without replacement per source. The choice for a source depends only on the seed and its row."""
    chosen = [
        np.sort(np.random.default_rng((seed, row)).choice(n_drivings, per_source, replace=False))
        for row in range(n_sources)
    ]
    return np.repeat(np.arange(n_sources), per_source), np.concatenate(chosen)


def _look_up(
    pairs: pa.Table, column: str, ids: Sequence[str] | pa.ChunkedArray, rows: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the place of each row's id, or of those of `rows`, among `ids`."""
    named = pairs[column].combine_chunks()
    found = pc.index_in(
        named if rows is None else named.take(pa.array(rows)),
        value_set=ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids, pa.string()),
    )
    if found.null_count:
        row = int(np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))[0])
        row = row if rows is None else int(rows[row])
        kind = column.removesuffix("_id")
        raise RefusedError(
            f"pairs manifest row {row}: {column}={pairs[column][row].as_py()!r} is not in the {kind}s manifest"
        )
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)
