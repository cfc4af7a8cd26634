"""Read sources and templates, in the same way for every stage."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lp_ray import storage
from lp_ray.base.arrays import AlphaImage, Image, Plane
from lp_ray.base.caching import Cache
from lp_ray.base.errors import MissingInputError, UnsupportedError
from lp_ray.base.limits import OURS, Limits
from lp_ray.face.framing import SourceFraming
from lp_ray.media.alpha import over_white
from lp_ray.media.clip import Clip, Still, open_clip, open_footage
from lp_ray.media.isolated import read_image
from lp_ray.media.sniff import is_video
from lp_ray.motion.rates import Indices, Length, schedule
from lp_ray.motion.template import HEADER_AHEAD, TemplateHeader, TemplateReader, read_header
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.work import PairWork, SourceFacts
from lp_ray.storage.guard import guarded

TEMPLATE_CACHE = 8
CLIP_CACHE = 2


@dataclass(frozen=True)
class Picture:
    """A source picture in the size at which a pair uses it, and the size of the original.

    `image` is over white. `alpha` says how opaque its pixels are (H x W), if the pair keeps transparency.
    """

    image: Image
    facts: SourceFacts
    alpha: Plane | None = None


def read_picture(
    uri: str,
    framing: SourceFraming,
    limits: Limits,
    version: str = "",
    stated: bool = False,
    alpha: bool = False,
) -> Picture:
    """Read a portrait and limit its size. Of a clip of one frame, or `stated` to be a picture, read the first frame.

    Its transparency is kept if `alpha`. Raises InputError, and UnsupportedError for any other clip.
    """
    with storage.local_copy(uri, limits, version) as path:
        image = _first_frame(path, limits, stated, alpha) if is_video(path) else read_image(path, limits, alpha)
    storage.check_version(uri, version)
    height, width = image.shape[:2]
    shown, opacity = limited(image, framing)
    return Picture(shown, SourceFacts(width, height), opacity)


def limited(image: Image | AlphaImage, framing: SourceFraming) -> tuple[Image, Plane | None]:
    """Limit the size of a source picture, or of a straight one. Return it over white, and how opaque its pixels are.

    None: it has no transparency.
    """
    if image.shape[2] == 3:
        return framing.limit(image), None
    return framing.limit(over_white(image)), framing.limit(np.ascontiguousarray(image[..., 3]))


def _first_frame(path: Path, limits: Limits, stated: bool, alpha: bool) -> Image:
    clip = open_clip(path, limits)
    if clip.n_frames > 1 and not stated:
        raise UnsupportedError(
            "the source moves, and its name is a picture's: say media='video' in the sources manifest, or "
            "media='image' for its first frame"
        )
    with closing(clip.frames(0, 1, alpha=alpha)) as frames:
        return next(frames)


class OpenClips:
    """Clips that an actor reads piece by piece. Each is fetched and probed once.

    Remote files are copied to the local disk; a copy is removed when another clip takes its place.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[tuple[str, float | None, float | None], tuple[Clip | Still, ExitStack]] = {}

    def get(
        self, uri: str, start_s: float | None = None, end_s: float | None = None, version: str = ""
    ) -> Clip | Still:
        """Return the clip or the picture at a URI. Raises InputError, also if the file changed after it was opened."""
        key = (uri, start_s, end_s)
        if key not in self._open:
            while len(self._open) >= CLIP_CACHE:
                _, stack = self._open.pop(next(iter(self._open)))
                stack.close()
            with ExitStack() as stack:
                path = stack.enter_context(storage.local_copy(uri, self._limits, version))
                footage = open_footage(path, self._limits, start_s, end_s)
                self._open[key] = footage, stack.pop_all()
        elif storage.is_local(uri):  # a local file is read in place, so it may change between two pieces
            storage.check_version(uri, version)
        return self._open[key][0]

    def video(self, uri: str, version: str = "") -> Clip:
        """Return the source video at a URI. Raises UnsupportedError for a picture."""
        footage = self.get(uri, version=version)
        if isinstance(footage, Still):
            raise UnsupportedError("the source is a picture under a video's name: say media='image' in the manifest")
        return footage


class TemplateCache:
    """Templates that an actor reads by ranges. Each is fetched once, because the store may be remote."""

    def __init__(self, root: str) -> None:
        self._layout = TemplateLayout(root)
        self._cached = Cache[TemplateReader]("template", TEMPLATE_CACHE)

    def get(self, key: str) -> TemplateReader:
        """Return the template of a key. Raises InputError if it does not exist."""
        return self._cached.get(key, lambda: self._fetch(key))

    def of_pair(self, work: PairWork) -> tuple[TemplateReader, TemplateReader | None]:
        """Return a pair's driving motion, and a source video's own motion, of what is animated of it, or None."""
        driving = self.get(work.template_key)
        if not work.source_template:
            return driving, None
        source = self.get(work.source_template)
        return driving, source if work.part is None else source.part(work.animated)

    def _fetch(self, key: str) -> TemplateReader:
        with TemporaryDirectory(prefix="lp_ray-template-") as folder:
            path = Path(folder) / "template.npz"
            storage.fetch(self._layout.template(key), path, OURS)
            return TemplateReader(path)  # the reader keeps the file open; its space is freed when the cache drops it


@guarded
def template_header(uri: str) -> TemplateHeader:
    """Read only the header of the template at a URI: a few small ranges, however long the clip.

    Raises MissingInputError if it does not exist, TemplateError if it is damaged.
    """
    try:
        with storage.open_read(uri, HEADER_AHEAD) as file:
            return read_header(file)
    except FileNotFoundError as error:
        raise MissingInputError(storage.absence(uri)) from error


def driving_frames(work: PairWork, source: TemplateReader | None, driving: TemplateReader) -> Indices:
    """Return the index of the driving frame for every frame of a pair that is animated.

    `source` is a source video's own motion in these frames (`TemplateCache.of_pair`). If faces have drivings of their
    own, a picture is as long as its pair, and drivings are matched to it like to a video.
    """
    own = None if source is None else Length(len(source), source.header.fps)
    if own is None and work.roles:
        own = Length(work.n_frames, work.fps)
    whole = schedule(own, Length(len(driving), driving.header.fps), work.options.driving_length)
    return whole.driving[: len(work.animated)]
