"""The typed work of a job: all facts about a clip or a pair that are fixed before the first stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from lp_ray.contract.formats import MOVING, STILL
from lp_ray.contract.options import KEEP, PairOptions
from lp_ray.contract.rows import Row
from lp_ray.face.framing import DrivingFraming, SourceFraming


@dataclass(frozen=True)
class SourceRef:
    """One source row of the manifest, as the stages need it.

    `face` is a rule, an index in digits, or `all`. `version` is the store's tag of the bytes that `key` stands for,
    empty if the store was not asked. `stated` says that the manifest's column `media` decided `is_video`; otherwise it
    is a guess.
    """

    key: str
    uri: str
    face: str
    box: tuple[float, float, float, float] | None
    subject: str
    is_video: bool = False
    version: str = ""
    stated: bool = False

    @property
    def is_searched(self) -> bool:
        """Whether its face must be searched for, in a job on animals."""
        return self.box is None


@dataclass(frozen=True)
class DrivingRef:
    """One driving row of the manifest, as the stages need it.

    `sound` is the sound file beside a performance, with its own version; empty if there is none.
    """

    key: str
    uri: str
    face: str
    start_s: float | None
    end_s: float | None
    version: str = ""
    sound: str = ""
    sound_version: str = ""
    cast: tuple[DrivingRef | None, ...] = ()
    """The driving of each face (None: the face stays as it is), if they have drivings of their own."""

    @property
    def members(self) -> tuple[DrivingRef, ...]:
        """The drivings that it consists of, in the order of the faces; one that is no cast is its own."""
        return tuple(one for one in self.cast if one is not None) or (self,)


@dataclass(frozen=True)
class ClipRef:
    """A file to be tracked: a driving, or a source video (which is never cut).

    `sound` is as in `DrivingRef`.
    """

    uri: str
    face: str
    box: tuple[float, float, float, float] | None = None
    start_s: float | None = None
    end_s: float | None = None
    version: str = ""
    sound: str = ""
    sound_version: str = ""
    subject: str = ""
    """Of a source video in a job of animals: its subject. Then the animal in it is tracked."""


@dataclass(frozen=True)
class ClipRow(Row):
    """A clip whose motion template is to be made. It has a driving framing or a source framing, and so is one or the
    other."""

    template_key: str
    clip: ClipRef
    driving: DrivingFraming | None
    source: SourceFraming | None

    @property
    def key(self) -> str:
        """The key under which its pieces are collected."""
        return self.template_key

    @property
    def pieces(self) -> range | None:
        """The indices of its pieces. None: the pieces themselves say how many there are."""
        return None


@dataclass(frozen=True)
class Role:
    """A face of a source (its place among them, from 0), and the driving and motion template that it takes."""

    face: int
    driving: DrivingRef
    template_key: str


@dataclass(frozen=True)
class PairWork:
    """All facts about a pair that are fixed before it is animated. They travel with its rows.

    `source_template` is the key of a source video's own motion template, empty for a picture. `chunk` is the number of
    frames animated and encoded at a time. `format` names the format of the result (`lp_ray.media.formats`). `roles` are
    the faces with drivings of their own; empty: one driving for all. Then `driving` and `template_key` are those of the
    first of them. `part` is (first, count) of the frames that are animated, where a part of a source video is; the
    others are the source's own.
    """

    pair_id: str
    source: SourceRef
    driving: DrivingRef
    template_key: str
    source_template: str
    options: PairOptions
    fps_numerator: int
    fps_denominator: int
    n_frames: int
    chunk: int
    format: str
    roles: tuple[Role, ...] = ()
    part: tuple[int, int] | None = None

    def of_role(self, place: int) -> PairWork:
        """Return the work of one animated face: driven by its own driving, as the only one."""
        if not self.roles:
            return self
        role = self.roles[place]
        return replace(self, driving=role.driving, template_key=role.template_key, roles=(role,))

    def face_of(self, place: int) -> int:
        """Return which of the source's faces the animated face at a place is."""
        return self.roles[place].face if self.roles else place

    @property
    def drivings(self) -> tuple[DrivingRef, ...]:
        """Its drivings, in the order of the faces."""
        return tuple(role.driving for role in self.roles) or (self.driving,)

    @property
    def template_keys(self) -> tuple[str, ...]:
        """The keys of its drivings' motion templates, in the same order."""
        return tuple(role.template_key for role in self.roles) or (self.template_key,)

    @property
    def animated(self) -> range:
        """The frames that are animated."""
        first, count = self.part or (0, self.n_frames)
        return range(first, first + count)

    def animated_of(self, start: int, stop: int) -> range:
        """Return which of the frames [start, stop) are animated; maybe none."""
        if self.part is None:
            return range(start, stop)
        first = min(max(start, self.animated.start), stop)
        return range(first, max(first, min(stop, self.animated.stop)))

    @property
    def fps(self) -> Fraction:
        return Fraction(self.fps_numerator, self.fps_denominator)

    @property
    def n_chunks(self) -> int:
        return -(-self.n_frames // self.chunk)

    @property
    def keeps_alpha(self) -> bool:
        """Whether its result is as transparent as its source."""
        return self.options.alpha == KEEP

    @property
    def comparison_format(self) -> str:
        """The format of its comparison, if it has one."""
        return STILL if self.format == STILL else MOVING


@dataclass(frozen=True)
class SourceFacts:
    """A source's original size in pixels, before `source_max_dim` applies."""

    width: int
    height: int


@dataclass(frozen=True)
class SpanRow(Row):
    """Frames [start, stop) of one pair, which one actor animates."""

    work: PairWork
    start: int
    stop: int

    @property
    def key(self) -> str:
        """The key under which its pieces are collected."""
        return self.work.pair_id

    @property
    def index(self) -> int:
        """The index of its first chunk."""
        return self.start // self.work.chunk

    @property
    def pieces(self) -> range:
        """The indices of its chunks."""
        return range(self.index, -(-self.stop // self.work.chunk))
