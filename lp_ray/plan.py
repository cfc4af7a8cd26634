"""The plan: what a job is going to do, worked out on the driver before any work starts.

Manifests become pairs, pairs get keys, and keys say what is done already. Inputs that cannot even be named
(missing file, scheme not allowed) fail here, each with its own reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lp_ray import keys, storage
from lp_ray.errors import InputError, MissingInputError, RefusedError, UnsupportedError
from lp_ray.face.framing import DrivingFraming, SourceFraming
from lp_ray.kinds import is_template, is_video
from lp_ray.licences import Terms
from lp_ray.manifest import AUTO, check_meta_names, meta_columns
from lp_ray.options import ALL_FACES, PairOptions, check_faces
from lp_ray.pairing import Pairs
from lp_ray.stages.media import source_framing
from lp_ray.stages.rows import ClipRef, ClipRow, DrivingRef, Failure, SourceRef

STAGE = "plan"
DEFAULT_FACE = "large-small"


@dataclass(frozen=True)
class Identity:
    """What all pairs of a job share, as it enters the keys; `variant` is the engine's, human or animal."""

    engine_digest: str
    landmarker_digest: str
    settings: Mapping[str, object]
    variant: str = "human"
    xpose_digest: str = ""
    """Of what finds animals: in the keys of the pairs it finds the source of. Empty where no pair needs it."""
    terms: Terms = field(default_factory=Terms)

    def work_digest(self, searched: bool = False) -> str:
        """Return the digest of a pair, `searched` if its animal is looked for."""
        settings = {**self.settings, "xpose": self.xpose_digest} if searched else self.settings
        return keys.work_digest(self.engine_digest, self.landmarker_digest, settings)

    def searches(self, source: SourceRef, options: PairOptions) -> bool:
        """Whether a pair's source is an animal that X-Pose has to find."""
        return self.variant == "animal" and is_searched(source.box, source.subject) and options.flag_do_crop

    def licences(self, source: SourceRef, driving: DrivingRef, options: PairOptions) -> list[str]:
        """Return the terms of all models that a pair is made with."""
        clip = self.driving_clip(driving, options).driving
        tracked = clip is not None and clip.track and not is_template(driving.uri)
        looked = self.variant == "human" or source.subject == AUTO
        return self.terms.of(detector=tracked or looked, xpose=self.searches(source, options))

    def driving_clip(self, driving: DrivingRef, options: PairOptions) -> ClipRow:
        """Return what the motion template of a driving is made from, under its key."""
        framing = DrivingFraming() if is_template(driving.uri) else self._driving_framing(options)
        clip = ClipRef(driving.uri, driving.face, None, driving.start_s, driving.end_s)
        return ClipRow(self._template_key(driving.key, "driving", framing), clip, framing, None)

    def source_clip(self, source: SourceRef, options: PairOptions) -> ClipRow | None:
        """Return what a source video's own motion is made from, under its key; None for a picture."""
        if not source.is_video:
            return None
        framing = source_framing(options)
        clip = ClipRef(source.uri, source.face, source.box)
        return ClipRow(self._template_key(source.key, "source", framing), clip, None, framing)

    def _driving_framing(self, options: PairOptions) -> DrivingFraming:
        return DrivingFraming(
            track=self.variant == "human" or options.flag_crop_driving_video,
            crop_square=options.flag_crop_driving_video,
            scale=options.driving_crop_scale,
            vx=options.driving_crop_vx,
            vy=options.driving_crop_vy,
        )

    def _template_key(self, clip: str, role: str, framing: DrivingFraming | SourceFraming) -> str:
        settings = {**self.settings, "role": role, "framing": asdict(framing)}
        return keys.template_key(clip, self.engine_digest, self.landmarker_digest, settings)


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

    def options(self, pair: int) -> PairOptions:
        return self.pairs.option_sets[int(self.pairs.option_index[pair])]

    def source(self, pair: int) -> SourceRef:
        return self.sources[int(self.pairs.source_index[pair])]

    def driving(self, pair: int) -> DrivingRef:
        return self.drivings[int(self.pairs.driving_index[pair])]

    def source_id(self, pair: int) -> str:
        return str(self.source_table["source_id"][int(self.pairs.source_index[pair])].as_py())

    def driving_id(self, pair: int) -> str:
        return str(self.driving_table["driving_id"][int(self.pairs.driving_index[pair])].as_py())


def is_searched(box: object, subject: str) -> bool:
    """Whether a source of an animal job has a face that must be found."""
    return box is None and subject in ("animal", AUTO)


def resolve_sources(
    table: pa.Table, policy: storage.Policy, engine: str, variant: str
) -> tuple[list[SourceRef], dict[int, Failure]]:
    """Turn source rows into references with keys; rows that cannot be reached or animated get a failure.

    A row without a subject is of the engine's variant.
    """
    uris, versions, failures = _resolve(table, policy)
    refs = []
    columns = ("face", "box", "subject", "media")
    for row, (face, box, subject, media) in enumerate(zip(*(table[name].to_pylist() for name in columns), strict=True)):
        face, subject = face or DEFAULT_FACE, subject or variant
        video = media == "video" if media else is_video(uris[row])
        # What a name already tells stays out of the key: saying it in the manifest makes no other pair.
        key = keys.source_key(uris[row], versions[row], face, box, subject)
        refs.append(SourceRef(key, uris[row], face, tuple(box) if box else None, subject, video))
        unfit = _unfit(refs[row], engine, variant)
        if unfit and row not in failures:
            failures[row] = Failure.of(STAGE, unfit)
    return refs, failures


def _unfit(source: SourceRef, engine: str, variant: str) -> InputError | None:
    """Say why a source cannot be animated by this engine, as far as its row tells."""
    if source.subject not in (variant, AUTO):
        remedy = "use engine=liveportrait engine.variant=animal" if source.subject == "animal" else "say subject=animal"
        return UnsupportedError(f"subject={source.subject} with engine={engine}, variant {variant}: {remedy}")
    if source.is_video and variant == "animal":
        return UnsupportedError("animals are animated from a picture: give one frame of the video as the source")
    if source.is_video and source.face == ALL_FACES:
        return UnsupportedError(f"face={ALL_FACES!r} needs a picture: of a video choose one face")
    return None


def resolve_drivings(table: pa.Table, policy: storage.Policy) -> tuple[list[DrivingRef], dict[int, Failure]]:
    """Turn driving rows into references with keys; rows that cannot be reached get a failure."""
    uris, versions, failures = _resolve(table, policy)
    refs = []
    for row, (face, start, end) in enumerate(
        zip(*(table[name].to_pylist() for name in ("face", "start_s", "end_s")), strict=True)
    ):
        face = face or DEFAULT_FACE
        key = keys.driving_key(uris[row], versions[row], face, start, end)
        refs.append(DrivingRef(key, uris[row], face, start, end))
    return refs, failures


def _resolve(table: pa.Table, policy: storage.Policy) -> tuple[list[str], list[str], dict[int, Failure]]:
    """Return each row's normalised URI and version tag, and the failures by row.

    A version in the manifest is taken at its word; for the other rows the store is asked.
    """
    typed, given = table["uri"].to_pylist(), table["version"].to_pylist()
    uris, failures = list(typed), {}
    for row, uri in enumerate(typed):
        try:
            uris[row] = storage.normalise(uri)
            policy.check(uris[row])
        except InputError as error:
            failures[row] = Failure.of(STAGE, error)
    asked = {uri for row, uri in enumerate(uris) if row not in failures and not given[row]}
    found = storage.versions(sorted(asked))
    tags = []
    for row, uri in enumerate(uris):
        version = found.get(uri)
        tags.append(given[row] or (version.tag if version else "absent"))
        if tags[row] == "absent" and row not in failures:
            failures[row] = Failure.of(STAGE, MissingInputError(f"nothing at {typed[row]}"))
    return uris, tags, failures


def make_plan(
    source_table: pa.Table,
    driving_table: pa.Table,
    pair_table: pa.Table | None,
    pairs: Pairs,
    identity: Identity,
    policy: storage.Policy,
    engine: str,
) -> Plan:
    """Key every pair. Raises RefusedError when two pairs are the same work, or a pair's options exclude its face."""
    check_meta_names(*(t for t in (source_table, driving_table, pair_table) if t is not None))
    sources, bad_sources = resolve_sources(source_table, policy, engine, identity.variant)
    _check_faces(sources, pairs)
    drivings, bad_drivings = resolve_drivings(driving_table, policy)
    texts = [keys.options_json(options) for options in pairs.option_sets]
    works = identity.work_digest(), identity.work_digest(searched=True)
    pair_ids, failures = [], {}
    for pair, (s, d, o) in enumerate(
        zip(
            pairs.source_index.tolist(),
            pairs.driving_index.tolist(),
            pairs.option_index.tolist(),
            strict=True,
        )
    ):
        work = works[identity.searches(sources[s], pairs.option_sets[o])]
        pair_ids.append(keys.pair_key(sources[s].key, drivings[d].key, texts[o], work))
        if s in bad_sources or d in bad_drivings:
            failures[pair] = bad_sources.get(s) or bad_drivings[d]
    plan = Plan(sources, drivings, source_table, driving_table, pair_table, pairs, pair_ids, texts, failures=failures)
    _refuse_twins(plan)
    return plan


def _check_faces(sources: Sequence[SourceRef], pairs: Pairs) -> None:
    """Refuse `face: all` with options that exclude it, naming the pair."""
    of_all = np.array([source.face == ALL_FACES for source in sources])[pairs.source_index]
    for index, options in enumerate(pairs.option_sets):
        rows = np.flatnonzero(of_all & (pairs.option_index == index))
        if len(rows):
            check_faces(ALL_FACES, options, f"pair {rows[0]}")


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
