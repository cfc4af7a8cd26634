"""The plan of a job: what it is going to do. The driver makes the plan before any work starts.

Manifests become pairs, pairs get keys, and the keys tell which results exist already. An input that cannot be reached
(missing file, scheme not allowed) fails here, each with its own reason. All data that grows with the number of pairs is
in arrays: a million pairs take a few hundred MB (`python -m benchmarks.plan`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.contract.effects import PairFacts
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.failure import Failure
from lp_ray.contract.licences import Terms
from lp_ray.contract.manifest import check_meta_names, meta_columns
from lp_ray.contract.media_kinds import is_performance, is_template
from lp_ray.contract.normalise import ineffective
from lp_ray.contract.option_checks import check_faces
from lp_ray.contract.options import PairOptions
from lp_ray.contract.rights import ROLES, rights
from lp_ray.contract.variants import AUTO
from lp_ray.face.framing import DrivingFraming, SourceFraming
from lp_ray.output.identity import IDENTITY
from lp_ray.output.results import Settled, meta_schema
from lp_ray.plan import casts, keys
from lp_ray.plan.effects import normalise_pairs
from lp_ray.plan.framing import driving_framing, source_framing
from lp_ray.plan.inputs import Drivings, Sources, resolve_drivings, resolve_sources
from lp_ray.plan.pairing import Pairs
from lp_ray.plan.said import Decided, Said
from lp_ray.plan.subjects import searched_pairs
from lp_ray.plan.work import ClipRef, ClipRow, DrivingRef, SourceRef

_NAMED = 10
"""Number of repeated pairs that an error message names."""
_AT_ONCE = 1 << 16
"""Number of pairs that are held as Python objects at a time."""


@dataclass(frozen=True)
class Identity:
    """What all pairs of a job share and what enters their keys. `variant` is the engine's: human or animal.

    `clips` and `pairs` hold the settings that change templates or results, if they differ from their defaults.
    """

    engine_digest: str
    landmarker_digest: str
    clips: Mapping[str, object] = field(default_factory=dict)
    pairs: Mapping[str, object] = field(default_factory=dict)
    variant: str = "human"
    animals_digest: str = ""
    """Digest of the animal detector. It enters the keys of pairs whose animal is searched for. Empty if no pair needs
    it."""
    terms: Terms = field(default_factory=Terms)

    def work_digest(self, searched: bool = False) -> str:
        """Return the work digest of a pair; `searched` says that its animal is searched for."""
        settings = {**self.clips, **self.pairs} | ({"animals": self.animals_digest} if searched else {})
        return keys.work_digest(self.engine_digest, self.landmarker_digest, settings)

    def licences(self, source: SourceRef, driving: DrivingRef, options: PairOptions) -> list[str]:
        """Return the licence terms of all models used for a pair."""
        clips = self.driving_clips(driving, options)
        tracked = any(clip.driving and clip.driving.track and not is_template(clip.clip.uri) for clip in clips)
        found = self.variant == "animal" and source.is_searched and options.flag_do_crop
        looked = self.variant == "human" or (found and source.subject == AUTO)
        return self.terms.of(detector=tracked or looked, animals=found)

    def driving_clips(self, driving: DrivingRef, options: PairOptions) -> tuple[ClipRow, ...]:
        """Return the clip rows of a pair's drivings, in the order of the faces; of one driving, its own."""
        return tuple(self.driving_clip(member, options) for member in driving.members)

    def driving_clip(self, driving: DrivingRef, options: PairOptions) -> ClipRow:
        """Return the clip row, with its key, of a driving's motion template."""
        framing = DrivingFraming() if is_template(driving.uri) else driving_framing(options, self.variant)
        cut, sound = (driving.start_s, driving.end_s), (driving.sound, driving.sound_version)
        clip = ClipRef(driving.uri, driving.face, None, *cut, driving.version, *sound)
        return ClipRow(self._template_key(driving.key, "driving", framing), clip, framing, None)

    def source_clip(self, source: SourceRef, options: PairOptions) -> ClipRow | None:
        """Return the clip row, with its key, of a source video's own motion template; None for a picture."""
        if not source.is_video:
            return None
        framing = source_framing(options)
        animal = source.subject if self.variant == "animal" else ""
        clip = ClipRef(source.uri, source.face, source.box, version=source.version, subject=animal)
        tracker = self.landmarker_digest if not animal else self.animals_digest if source.is_searched else ""
        return ClipRow(self._template_key(source.key, "source", framing, tracker), clip, None, framing)

    def _template_key(
        self, clip: str, role: str, framing: DrivingFraming | SourceFraming, tracker: str | None = None
    ) -> str:
        landmarker = self.landmarker_digest if tracker is None else tracker
        return keys.template_key(clip, role, framing, self.engine_digest, landmarker, self.clips)


@dataclass
class Plan:
    """All pairs of a job, and which of them still have to be made.

    Rows of `sources` and `drivings` belong to the tables `source_table` and `driving_table`: the manifests without the
    rows that no pair uses. `pair_ids[i]` is the key of pair i. `todo` holds the pairs still to be made, ordered by
    source. `attempts[i]` counts how often pair i was tried before.
    """

    sources: Sources
    drivings: Drivings
    source_table: pa.Table
    driving_table: pa.Table
    pair_table: pa.Table | None
    pairs: Pairs
    pair_ids: pa.Array
    option_texts: list[str]
    todo: NDArray[np.int64]
    attempts: NDArray[np.int64]
    n_done: int = 0
    n_failed_before: int = 0
    n_filtered_before: int = 0
    lesser: frozenset[str] = frozenset()
    """Keys of pairs that are done but lack labels or metrics: their rows stay until better ones are there."""
    idle: Counter[str] = field(default_factory=Counter)
    """Which options were removed because they have no effect, with the reason, and from how many pairs."""
    animal: bool = False
    """Whether the engine's variant is animal."""
    decided: Decided | None = None
    """What became of the pairs that people decided; None if nobody was asked."""
    asked: Pairs | None = None
    """The pairs with the options as asked for. The options in `pairs` leave out those without effect."""

    def __len__(self) -> int:
        return len(self.pair_ids)

    def pair_id(self, pair: int) -> str:
        return str(self.pair_ids[pair].as_py())

    def todo_ids(self) -> pa.Array:
        """Return the keys of the pairs still to be made."""
        return self.pair_ids.take(pa.array(self.todo))

    def unsettled_ids(self) -> pa.Array:
        """Return the keys of the pairs still to be made whose old rows say nothing that holds."""
        ids = self.todo_ids()
        return ids.filter(pc.invert(pc.is_in(ids, pa.array(self.lesser, pa.string())))) if self.lesser else ids

    def failure(self, pair: int) -> Failure | None:
        """Return why a pair cannot start; None if it can."""
        bad_source = self.sources.failures.get(int(self.pairs.source_index[pair]))
        return bad_source or self.drivings.failures.get(int(self.pairs.driving_index[pair]))

    def failing(self) -> NDArray[np.bool_]:
        """Return of each pair whether it cannot start."""
        bad_source = _marked(len(self.sources), self.sources.failures)[self.pairs.source_index]
        return bad_source | _marked(len(self.drivings), self.drivings.failures)[self.pairs.driving_index]

    def startable(self) -> NDArray[np.int64]:
        """Return the pairs of `todo` whose inputs can be reached."""
        return self.todo[~self.failing()[self.todo]]

    def identities(self) -> pa.Table:
        """Return what a row of the results is known by, of every pair: the columns of IDENTITY."""
        source, driving = pa.array(self.pairs.source_index), pa.array(self.pairs.driving_index)
        ids = (self.source_table["source_id"].take(source), self.driving_table["driving_id"].take(driving))
        return pa.table(dict(zip(IDENTITY, (self.pair_ids, *ids), strict=True)))

    def meta(self, pair: int) -> dict[str, object]:
        """Return what a pair's row has from the manifests: `meta_*` values, and the rights of source and driving."""
        rows = [
            (self.source_table, int(self.pairs.source_index[pair])),
            (self.driving_table, int(self.pairs.driving_index[pair])),
        ]
        if self.pair_table is not None:
            rows.append((self.pair_table, pair))
        carried = {name: table[name][row].as_py() for table, row in rows for name in meta_columns(table)}
        for role, (table, row) in zip(ROLES, rows, strict=False):
            carried |= {name: column[row].as_py() for name, column in rights(table, role).items()}
        return carried

    @property
    def meta_schema(self) -> pa.Schema:
        """The `meta_*` columns of the manifests with their types: the results carry these columns."""
        return meta_schema(self.source_table, self.driving_table, self.pair_table)

    def options(self, pair: int) -> PairOptions:
        return self.pairs.option_sets[int(self.pairs.option_index[pair])]

    def without_effect(self, pair: int, still: bool | None = None, square: bool | None = None) -> list[str]:
        """Return the options of a pair that were asked for but have no effect, with the reasons.

        `still` and `square` describe the driving once it was read: whether it is one frame, and whether its frames are
        square. Of several drivings: whether all are.
        """
        if self.asked is None:
            return []
        source, driving = self.source(pair), self.driving(pair)
        template, performed = (all(kind(one.uri) for one in driving.members) for kind in (is_template, is_performance))
        boxed, cast, sound = source.box is not None, bool(driving.cast), any(one.sound for one in driving.members)
        facts = PairFacts(source.is_video, boxed, template, performed, self.animal, still, square, cast, sound)
        return ineffective(self.asked.option_sets[int(self.asked.option_index[pair])], facts)

    def source(self, pair: int) -> SourceRef:
        return self.sources[int(self.pairs.source_index[pair])]

    def driving(self, pair: int) -> DrivingRef:
        return self.drivings[int(self.pairs.driving_index[pair])]

    def source_id(self, pair: int) -> str:
        return str(self.source_table["source_id"][int(self.pairs.source_index[pair])].as_py())

    def driving_id(self, pair: int) -> str:
        return str(self.driving_table["driving_id"][int(self.pairs.driving_index[pair])].as_py())


def _marked(length: int, rows: Mapping[int, Failure]) -> NDArray[np.bool_]:
    marks = np.zeros(length, np.bool_)
    marks[list(rows)] = True
    return marks


def make_plan(
    source_table: pa.Table,
    driving_table: pa.Table,
    pair_table: pa.Table | None,
    pairs: Pairs,
    identity: Identity,
    policy: storage.Policy,
    engine: str,
) -> Plan:
    """Give every pair its key. Raises RefusedError if a pair appears twice, or if its options do not allow its face."""
    check_meta_names(*(t for t in (source_table, driving_table, pair_table) if t is not None))
    source_table, source_index = _used(source_table, pairs.source_index)
    driving_table, pairs, cast_rows = casts.keep_used(driving_table, replace(pairs, source_index=source_index))
    sources = resolve_sources(source_table, policy, engine, identity.variant)
    _check_faces(sources, pairs)
    casts.check_casts(sources, pairs, cast_rows)
    drivings = resolve_drivings(driving_table, policy, cast_rows)
    animal, several = identity.variant == "animal", np.arange(len(drivings)) >= drivings.n_own
    asked, kinds = pairs, (drivings.templates, drivings.performances, several, drivings.with_sound)
    pairs, idle = normalise_pairs(pairs, sources.videos, sources.boxed, *kinds, animal)
    texts = [keys.options_json(options) for options in pairs.option_sets]
    digests = [keys.options_digest(options) for options in pairs.option_sets]
    works = np.array([identity.work_digest(), identity.work_digest(searched=True)], object)
    works = works[searched_pairs(source_table, pairs, identity.variant).astype(np.int64)]
    ids = pa.chunked_array(_pair_ids(sources, drivings, pairs, digests, works), pa.string())
    todo, attempts = _by_source(pairs, np.arange(len(pairs))), np.zeros(len(pairs), np.int64)
    plan = Plan(
        sources,
        drivings,
        source_table,
        driving_table,
        pair_table,
        pairs,
        ids.combine_chunks(),
        texts,
        todo,
        attempts,
        idle=idle,
        animal=identity.variant == "animal",
        asked=asked,
    )
    _refuse_repeats(plan)
    plan.todo = _each_once(plan, plan.todo)
    return plan


def _used(table: pa.Table, index: NDArray[np.int64]) -> tuple[pa.Table, NDArray[np.int64]]:
    """Leave out the rows that no pair uses, so that they need no version and no key."""
    marks = np.zeros(table.num_rows, np.bool_)
    marks[index] = True
    if marks.all():
        return table, index
    return table.filter(pa.array(marks)), (np.cumsum(marks) - 1)[index]


def _pair_ids(
    sources: Sources, drivings: Drivings, pairs: Pairs, digests: list[str], works: NDArray[np.object_]
) -> Iterator[pa.Array]:
    for first in range(0, len(pairs), _AT_ONCE):
        window = slice(first, first + _AT_ONCE)
        parts = zip(
            sources.keys.take(pa.array(pairs.source_index[window])).to_pylist(),
            drivings.keys.take(pa.array(pairs.driving_index[window])).to_pylist(),
            pairs.option_index[window].tolist(),
            works[window].tolist(),
            strict=True,
        )
        yield pa.array([keys.pair_key(source, driving, digests[o], work) for source, driving, o, work in parts])


def _check_faces(sources: Sources, pairs: Pairs) -> None:
    """Refuse `face: all` with options that do not allow it. The error names the pair."""
    of_all = pc.equal(sources.faces, ALL_FACES).to_numpy(zero_copy_only=False)
    if not of_all.any():
        return
    suspects = np.flatnonzero(of_all[pairs.source_index])
    indices, first = np.unique(pairs.option_index[suspects], return_index=True)
    for index, at in zip(indices.tolist(), first.tolist(), strict=True):
        check_faces(ALL_FACES, pairs.option_sets[index], f"pair {suspects[at]}")


def _refuse_repeats(plan: Plan) -> None:
    """Refuse pairs that appear twice; one error lists them. The same work under other ids is allowed, and done once."""
    pairs = plan.asked or plan.pairs
    size = len(plan.drivings), len(pairs.option_sets)
    codes = (pairs.source_index * size[0] + pairs.driving_index) * size[1] + pairs.option_index
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    repeated = np.sort(first[counts > 1])
    if not len(repeated):
        return
    named = [
        f"{plan.source_id(pair)!r} with {plan.driving_id(pair)!r} in rows "
        + " and ".join(map(str, np.flatnonzero(codes == codes[pair])[:3].tolist()))
        for pair in repeated[:_NAMED].tolist()
    ]
    more = f", and {len(repeated) - _NAMED} more" if len(repeated) > _NAMED else ""
    raise RefusedError(
        f"{len(repeated)} pairs stand more than once with the same options: {'; '.join(named)}{more}; remove the "
        "further rows"
    )


def _each_once(plan: Plan, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of pairs with the same work (several ids of one file), keep the first."""
    codes = plan.pair_ids.take(pa.array(chosen)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first = np.unique(codes, return_index=True)
    return chosen[np.sort(first)]


def leave_out_settled(
    plan: Plan, settled: Settled, retry_failed: bool, retry_filtered: bool = False, said: Said | None = None
) -> None:
    """Set `plan.todo` to the pairs without a settled result, ordered by source so that caches are used well.

    What people `said` of a pair that failed or was filtered goes before `retry_failed` and `retry_filtered`.
    """
    found = settled.look_up(plan.pair_ids)
    plan.lesser = frozenset(found.pair_ids.filter(pa.array(found.lesser)).to_pylist())
    left = ~found.done
    left &= retry_filtered | ~found.filtered
    left &= retry_failed | ~found.failed
    if said is not None:
        left, plan.decided = said.of(left, found)
    plan.n_done, plan.n_filtered_before = int(found.done.sum()), int((found.filtered & ~left).sum())
    plan.n_failed_before = int((found.failed & ~left).sum())
    plan.attempts = np.where(found.failed, found.attempts, 0)
    plan.todo = _by_source(plan.pairs, _each_once(plan, np.flatnonzero(left)))


def wanted_rows(plan: Plan, engine: str) -> tuple[pa.Table, dict[str, pa.ChunkedArray]]:
    """Return the rows that the results table must have, and what the manifests add to them; see
    `lp_ray.output.reconcile.reconcile`."""
    pairs = plan.pairs
    source, driving = pa.array(pairs.source_index), pa.array(pairs.driving_index)
    table = pa.table(
        {
            "pair_id": plan.pair_ids,
            "source_id": plan.source_table["source_id"].take(source),
            "driving_id": plan.driving_table["driving_id"].take(driving),
            "options": pa.array(plan.option_texts, pa.string()).take(pa.array(pairs.option_index)),
            "engine": pa.repeat(engine, len(plan)),
            "source_uri": _shown(plan.sources.uris).take(source),
            "source_version": plan.sources.versions.take(source),
            "driving_uri": _shown(plan.drivings.uris).take(driving),
            "driving_version": plan.drivings.versions.take(driving),
        }
    )
    rows = [(plan.source_table, source), (plan.driving_table, driving)]
    if plan.pair_table is not None:
        rows.append((plan.pair_table, pa.array(np.arange(len(plan)))))
    carried = {name: of[name].take(index) for of, index in rows for name in meta_columns(of)}
    for role, (of, index) in zip(ROLES, rows, strict=False):
        carried |= {name: column.take(index) for name, column in rights(of, role).items()}
    return table, carried


def _shown(uris: pa.Array) -> pa.Array:
    return pa.array([storage.redact(uri) for uri in uris.to_pylist()], pa.string())


def _by_source(pairs: Pairs, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    return chosen[np.argsort(pairs.source_index[chosen], kind="stable")]
