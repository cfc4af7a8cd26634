"""What travels between the stages: one dataclass per kind of row, and how it becomes Ray Data columns.

A row that met an error carries a `Failure` and empty arrays; later stages pass it on, so that nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import cache
from typing import Any, Self, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.face.framing import DrivingFraming, SourceFraming

Batch = dict[str, NDArray[Any]]
"""A Ray Data batch in numpy format."""

_SCALARS = (str, int, float, bool)


class Row:
    """Base of the row dataclasses: scalars and arrays become columns, nested dataclasses JSON text."""

    def to_batch(self) -> Batch:
        """Return this row as a batch of one."""
        return {f.name: _encode(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_batch(cls, batch: Batch) -> Iterator[Self]:
        """Yield the rows of a batch; arrays stay views of Ray's shared memory, read-only.

        Raises KeyError naming the column that an earlier stage did not provide.
        """
        hints = _hints(cls)  # type: ignore[arg-type]
        for i in range(len(next(iter(batch.values())))):
            yield cls(**{name: _decode(batch[name][i], hint) for name, hint in hints.items()})


@dataclass(frozen=True)
class Failure:
    """Why a pair or a template could not be made."""

    stage: str
    error_class: str
    error: str

    @classmethod
    def of(cls, stage: str, error: BaseException) -> Failure:
        return cls(stage, type(error).__name__, storage.redact(str(error) or repr(error)))


@dataclass(frozen=True)
class SourceRef:
    """One source row of the manifest, as the stages need it. `face` is a rule, an index in digits, or `all`;
    `version` is the store's tag of the bytes that `key` stands for, empty where it was not asked for."""

    key: str
    uri: str
    face: str
    box: tuple[float, float, float, float] | None
    subject: str
    is_video: bool = False
    version: str = ""

    @property
    def is_searched(self) -> bool:
        """Whether, in a job of animals, its face must be found."""
        return self.box is None


@dataclass(frozen=True)
class DrivingRef:
    """One driving row of the manifest, as the stages need it."""

    key: str
    uri: str
    face: str
    start_s: float | None
    end_s: float | None
    version: str = ""


@dataclass(frozen=True)
class ClipRef:
    """A file to be tracked: a driving, or a source video (which has no cut)."""

    uri: str
    face: str
    box: tuple[float, float, float, float] | None = None
    start_s: float | None = None
    end_s: float | None = None
    version: str = ""


@dataclass(frozen=True)
class ClipRow(Row):
    """A clip whose motion template is to be made: a driving or a source video, by which framing it has."""

    template_key: str
    clip: ClipRef
    driving: DrivingFraming | None
    source: SourceFraming | None


@dataclass(frozen=True)
class ClipFacts:
    """What tracking a whole clip found out: `size` is its frames' (width, height), `crop` a driving's matrix to
    512 x 512, row by row, or None for whole frames."""

    fps_numerator: int
    fps_denominator: int
    n_frames: int
    n_chunks: int
    missing_frames: tuple[int, ...]
    size: tuple[int, int]
    crop: tuple[float, ...] | None


@dataclass(frozen=True)
class TrackedChunk(Row):
    """Consecutive frames: landmarks n x K x D, crops n x 256 x 256 x 3 (n = 0 where unused).

    Of a source video the landmarks are in pixels of its crop, `to_crop` is n x 2 x 3; of a driving they are in
    pixels of the frame, and `to_crop` has no rows.
    """

    template_key: str
    index: int
    facts: ClipFacts | None
    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    crops: NDArray[np.uint8]
    seconds: float
    failure: Failure | None


@dataclass(frozen=True)
class StagedMotion(Row):
    """A chunk of motion lies in the template store's staging, or the clip failed."""

    template_key: str
    index: int
    facts: ClipFacts | None
    seconds: float
    failure: Failure | None


@dataclass(frozen=True)
class PairWork:
    """All that is fixed about a pair before it is animated; rides along with its rows.

    `source_template` is the key of a source video's own motion, empty for a picture; `chunk` the number of
    frames animated and encoded at a time; `kind` what the result is (see `lp_ray.manifest.RESULT_SCHEMA`).
    """

    pair_id: str
    source: SourceRef
    driving: DrivingRef
    template_key: str
    source_template: str
    options: dict[str, Any]
    fps_numerator: int
    fps_denominator: int
    n_frames: int
    chunk: int
    kind: str

    @property
    def fps(self) -> Fraction:
        return Fraction(self.fps_numerator, self.fps_denominator)

    @property
    def n_chunks(self) -> int:
        return -(-self.n_frames // self.chunk)


@dataclass(frozen=True)
class SpanRow(Row):
    """Frames [start, stop) of one pair, to be animated by one actor."""

    work: PairWork
    start: int
    stop: int


@dataclass(frozen=True)
class SourceFacts:
    """A source's own size in pixels, before `source_max_dim`."""

    width: int
    height: int


@dataclass(frozen=True)
class SourcedSpan(Row):
    """A span with its source: crops F x S x S x 3, landmarks in them F x K x D (in a crop of 512), and F
    original -> crop matrices.

    Of a picture there is one row for each face, of a video one for each of the span's frames (one chunk then).
    """

    work: PairWork
    start: int
    stop: int
    crops: NDArray[np.uint8]
    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    facts: SourceFacts | None
    seconds_source: float
    failure: Failure | None


@dataclass(frozen=True)
class AnimatedChunk(Row):
    """Animated crops of one chunk, faces x n x 512 x 512 x 3; `to_crop` as in SourcedSpan."""

    work: PairWork
    index: int
    frames: NDArray[np.uint8]
    to_crop: NDArray[np.float64]
    facts: SourceFacts | None
    seconds_source: float
    seconds_animate: float
    failure: Failure | None

    @property
    def n_frames(self) -> int:
        return int(self.frames.shape[1])


@dataclass(frozen=True)
class StagedSegment(Row):
    """A chunk lies encoded in the output's staging, or the pair failed."""

    pair_id: str
    index: int
    n_frames: int
    facts: SourceFacts | None
    seconds_source: float
    seconds_animate: float
    seconds_write: float
    failure: Failure | None


def _encode(value: Any) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value[None]
    if isinstance(value, _SCALARS):
        return np.array([value])
    return np.array(["" if value is None else json.dumps(asdict(value))])


def _decode(value: Any, hint: Any) -> Any:
    if hint in _SCALARS:
        return hint(value)
    record = next((a for a in (get_args(hint) or (hint,)) if hasattr(a, "__dataclass_fields__")), None)
    if record is None:
        return value
    return _record(record, json.loads(value)) if value else None


def _record(kind: type, values: dict[str, Any]) -> Any:
    return kind(**{name: _nested(values[name], hint) for name, hint in _hints(kind).items()})


def _nested(value: Any, hint: Any) -> Any:
    if hasattr(hint, "__dataclass_fields__"):
        return _record(hint, value)
    return tuple(value) if isinstance(value, list) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def empty(*tail: int, dtype: Any) -> NDArray[Any]:
    """An array of no frames, for rows that carry a failure."""
    return np.empty((0, *tail), dtype)
