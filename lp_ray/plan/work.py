"""The typed work of a job: all facts about a clip or a pair that are fixed before the first stage."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from lp_ray.contract.formats import MOVING, STILL
from lp_ray.contract.options import PairOptions
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
    """One driving row of the manifest, as the stages need it."""

    key: str
    uri: str
    face: str
    start_s: float | None
    end_s: float | None
    version: str = ""


@dataclass(frozen=True)
class ClipRef:
    """A file to be tracked: a driving, or a source video (which is never cut)."""

    uri: str
    face: str
    box: tuple[float, float, float, float] | None = None
    start_s: float | None = None
    end_s: float | None = None
    version: str = ""


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
class PairWork:
    """All facts about a pair that are fixed before it is animated. They travel with its rows.

    `source_template` is the key of a source video's own motion template, empty for a picture. `chunk` is the number of
    frames animated and encoded at a time. `format` names the format of the result (`lp_ray.media.formats`).
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
