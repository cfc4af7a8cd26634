"""The plan: what a job is going to do, worked out on the driver before any work starts.

Manifests become pairs, pairs get keys, and keys say what is done already. Inputs that cannot even be named
(missing file, scheme not allowed) fail here, each with its own reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lp_ray import keys, storage
from lp_ray.errors import InputError, MissingInputError, RefusedError
from lp_ray.manifest import check_meta_names, meta_columns
from lp_ray.pairing import Pairs
from lp_ray.stages.rows import DrivingRef, Failure, SourceRef

STAGE = "plan"
DEFAULT_FACE = "large-small"
DEFAULT_SUBJECT = "human"


@dataclass(frozen=True)
class Identity:
    """What all pairs of a job share, as it enters the keys."""

    engine_digest: str
    landmarker_digest: str
    template_settings: Mapping[str, object]

    def template_key(self, driving: DrivingRef) -> str:
        return keys.template_key(driving.key, self.engine_digest, self.landmarker_digest, self.template_settings)

    def work_digest(self) -> str:
        return keys.work_digest(self.engine_digest, self.landmarker_digest, self.template_settings)


@dataclass
class Plan:
    """All pairs of a job, and which of them are to be made.

    `pair_ids[i]` is the key of pair i; `todo` holds the rows still to be made, ordered by source. `failures`
    are pairs that cannot be started; `attempts` counts how often a pair was tried before.
    """

    sources: Sequence[SourceRef]
    drivings: Sequence[DrivingRef]
    source_table: pa.Table
    driving_table: pa.Table
    pair_table: pa.Table | None
    pairs: Pairs
    pair_ids: list[str]
    option_texts: list[str]
    todo: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    failures: dict[int, Failure] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    n_done: int = 0
    n_failed_before: int = 0

    def meta(self, pair: int) -> dict[str, object]:
        """Return the `meta_*` values of a pair: its source's, its driving's and its own."""
        rows = [
            (self.source_table, int(self.pairs.source_index[pair])),
            (self.driving_table, int(self.pairs.driving_index[pair])),
        ]
        if self.pair_table is not None:
            rows.append((self.pair_table, pair))
        return {name: table[name][row].as_py() for table, row in rows for name in meta_columns(table)}

    def source_id(self, pair: int) -> str:
        return str(self.source_table["source_id"][int(self.pairs.source_index[pair])].as_py())

    def driving_id(self, pair: int) -> str:
        return str(self.driving_table["driving_id"][int(self.pairs.driving_index[pair])].as_py())


def resolve_sources(table: pa.Table, policy: storage.Policy) -> tuple[list[SourceRef], dict[int, Failure]]:
    """Turn source rows into references with keys; rows that cannot be reached get a failure."""
    uris, versions, failures = _resolve(table["uri"].to_pylist(), policy)
    refs = []
    for row, (face, box, subject) in enumerate(
        zip(*(table[name].to_pylist() for name in ("face", "box", "subject")), strict=True)
    ):
        face, subject = face or DEFAULT_FACE, subject or DEFAULT_SUBJECT
        key = keys.source_key(uris[row], versions[row], face, box, subject)
        refs.append(SourceRef(key, uris[row], face, tuple(box) if box else None, subject))
    return refs, failures


def resolve_drivings(table: pa.Table, policy: storage.Policy) -> tuple[list[DrivingRef], dict[int, Failure]]:
    """Turn driving rows into references with keys; rows that cannot be reached get a failure."""
    uris, versions, failures = _resolve(table["uri"].to_pylist(), policy)
    refs = []
    for row, (face, start, end) in enumerate(
        zip(*(table[name].to_pylist() for name in ("face", "start_s", "end_s")), strict=True)
    ):
        face = face or DEFAULT_FACE
        key = keys.driving_key(uris[row], versions[row], face, start, end)
        refs.append(DrivingRef(key, uris[row], face, start, end))
    return refs, failures


def _resolve(typed: Sequence[str], policy: storage.Policy) -> tuple[list[str], list[str], dict[int, Failure]]:
    """Return each row's normalised URI and version tag, and the failures by row."""
    uris, failures = list(typed), {}
    for row, uri in enumerate(typed):
        try:
            uris[row] = storage.normalise(uri)
            policy.check(uris[row])
        except InputError as error:
            failures[row] = Failure.of(STAGE, error)
    reachable = sorted({uri for row, uri in enumerate(uris) if row not in failures})
    found = storage.versions(reachable)
    tags = []
    for row, uri in enumerate(uris):
        version = found.get(uri)
        tags.append(version.tag if version else "absent")
        if version is None and row not in failures:
            failures[row] = Failure.of(STAGE, MissingInputError(f"nothing at {typed[row]}"))
    return uris, tags, failures


def make_plan(
    source_table: pa.Table,
    driving_table: pa.Table,
    pair_table: pa.Table | None,
    pairs: Pairs,
    identity: Identity,
    policy: storage.Policy,
) -> Plan:
    """Key every pair. Raises RefusedError when two pairs are the same work."""
    check_meta_names(*(t for t in (source_table, driving_table, pair_table) if t is not None))
    sources, bad_sources = resolve_sources(source_table, policy)
    drivings, bad_drivings = resolve_drivings(driving_table, policy)
    texts = [keys.options_json(options) for options in pairs.option_sets]
    work = identity.work_digest()
    pair_ids, failures = [], {}
    for pair, (s, d, o) in enumerate(
        zip(
            pairs.source_index.tolist(),
            pairs.driving_index.tolist(),
            pairs.option_index.tolist(),
            strict=True,
        )
    ):
        pair_ids.append(keys.pair_key(sources[s].key, drivings[d].key, texts[o], work))
        if s in bad_sources or d in bad_drivings:
            failures[pair] = bad_sources.get(s) or bad_drivings[d]
    plan = Plan(sources, drivings, source_table, driving_table, pair_table, pairs, pair_ids, texts, failures=failures)
    _refuse_twins(plan)
    return plan


def _refuse_twins(plan: Plan) -> None:
    if len(set(plan.pair_ids)) == len(plan.pair_ids):
        return
    twin, _ = Counter(plan.pair_ids).most_common(1)[0]
    first, second = [pair for pair, pair_id in enumerate(plan.pair_ids) if pair_id == twin][:2]
    raise RefusedError(
        f"pairs {first} and {second} are the same work ({plan.source_id(first)!r} with {plan.driving_id(first)!r} "
        f"and {plan.source_id(second)!r} with {plan.driving_id(second)!r}): same inputs, same options; "
        "remove one of the two rows"
    )


def leave_out_settled(plan: Plan, done: set[str], others: Mapping[str, int], retry_failed: bool) -> None:
    """Set `plan.todo` to the pairs without a standing result, ordered by source so that caches hit."""
    todo = []
    for pair, pair_id in enumerate(plan.pair_ids):
        if pair_id in done:
            plan.n_done += 1
        elif pair_id in others and not retry_failed:
            plan.n_failed_before += 1
        else:
            todo.append(pair)
    plan.attempts = {plan.pair_ids[pair]: others.get(plan.pair_ids[pair], 0) for pair in todo}
    order = np.array(todo, np.int64)
    plan.todo = order[np.argsort(plan.pairs.source_index[order], kind="stable")] if todo else order
