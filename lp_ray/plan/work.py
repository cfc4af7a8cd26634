"""The typed work of a job: what is fixed about a clip or a pair before any stage sees it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lp_ray.contract.formats import MOVING, STILL
from lp_ray.contract.options import PairOptions
from lp_ray.contract.rows import Row
from lp_ray.face.framing import DrivingFraming, SourceFraming


@dataclass(frozen=True)
class SourceRef:
    """One source row of the manifest, as the stages need it. `face` is a rule, an index in digits, or `all`;
    `version` is the store's tag of the bytes that `key` stands for, empty where it was not asked for; `stated` says
    that the manifest's column `media` decides whether it is a video, else it is a guess."""

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

    @property
    def key(self) -> str:
        """What its pieces are collected under."""
        return self.template_key

    @property
    def pieces(self) -> range | None:
        """The pieces that it becomes; None: they say themselves how many there are."""
        return None


@dataclass(frozen=True)
class PairWork:
    """All that is fixed about a pair before it is animated; rides along with its rows.

    `source_template` is the key of a source video's own motion, empty for a picture; `chunk` the number of
    frames animated and encoded at a time; `format` the name of what the result is written as (`lp_ray.media.formats`).
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

    @property
    def fps(self) -> Fraction:
        return Fraction(self.fps_numerator, self.fps_denominator)

    @property
    def n_chunks(self) -> int:
        return -(-self.n_frames // self.chunk)

    @property
    def comparison_format(self) -> str:
        """What its comparison is written as, if it has one."""
        return STILL if self.format == STILL else MOVING


@dataclass(frozen=True)
class SourceFacts:
    """A source's own size in pixels, before `source_max_dim`."""

    width: int
    height: int


@dataclass(frozen=True)
class SpanRow(Row):
    """Frames [start, stop) of one pair, to be animated by one actor."""

    work: PairWork
    start: int
    stop: int

    @property
    def key(self) -> str:
        """What its pieces are collected under."""
        return self.work.pair_id

    @property
    def index(self) -> int:
        """Its first chunk."""
        return self.start // self.work.chunk

    @property
    def pieces(self) -> range:
        """The chunks that it becomes."""
        return range(self.index, -(-self.stop // self.work.chunk))
