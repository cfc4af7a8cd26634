"""What a finished video is compared with: the motion asked for, the driving, and the source's pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.labels.asked import angles, asked_angles
from lp_ray.media.gather import gather
from lp_ray.media.loudness import sound_levels
from lp_ray.motion.reference import find_reference
from lp_ray.plan.framing import source_framing
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork
from lp_ray.quality.motion import Asked as AskedTracks
from lp_ray.quality.motion import asked_blendshapes
from lp_ray.quality.pair import Expected
from lp_ray.stages.measuring.asked import Asked, moves
from lp_ray.stages.measuring.driving import driving_tracks, repeats_shown, template_repeats
from lp_ray.stages.measuring.models import models_for
from lp_ray.stages.measuring.source import SourceView, video_rotations
from lp_ray.stages.media import OpenClips, TemplateCache, driving_frames

_RATIOS = {"eye_ratio": "asked_eye_ratios", "lip_ratio": "asked_lip_ratio"}

Rows = dict[str, NDArray[Any]]


class ExpectedRows:
    """Reads what belongs to a range of frames. Close it at the end."""

    def __init__(self, settings: Settings, work: PairWork, asked: Asked, made: Any) -> None:
        """`made` is the `Finished` file. Raises InputError."""
        measuring, face = settings.measuring, work.face_of(asked.face)
        work = work.of_role(asked.face)
        self._work, self._asked, self._size = work, asked, (made.facts.width, made.facts.height)
        self._framing, self._moves = source_framing(work.options), moves(work.options)
        self._full = measuring.metrics == "full"
        self._clips = OpenClips(settings.limits)
        self._template, source = TemplateCache(settings.templates).of_pair(work)
        self._followed = driving_frames(work, source, self._template)
        self._own = None if source is None else source.face(face)
        self._driving = driving_tracks(settings, work.driving, models_for(settings)) if measuring.reads_videos else None
        self._sources: Iterator[Image] | None = None
        self._at = 0
        self._reference: NDArray[np.float32] | None = None
        if self._driving is not None and self._moves["expression"] and len(self._template) > 1:  # a still has no rest
            at = find_reference(self._template, work.options.driving_reference)
            self._reference = self._driving.blendshapes[min(at, len(self._driving.repeated) - 1)]
        wants_sound = measuring.metrics != "none" and made.facts.has_audio and made.facts.fps is not None
        self._loudness = (
            sound_levels(made.path, made.facts.fps, made.facts.n_frames, made.folder) if wants_sound else None
        )

    def close(self) -> None:
        """Stop the decoder of a source video."""
        if isinstance(self._sources, Generator):
            self._sources.close()

    def columns(self, shown: NDArray[np.intp]) -> Rows:
        """Return the columns of labels that need no finished video, for frames of the pair."""
        rows = self._asked.columns(shown)
        rows["driving_frame"] = self._followed[shown]
        rows |= self._ratios(shown)
        if (turns := self._asked.turns(shown)) is not None:
            rows["asked_turn"] = angles(turns)
        return rows

    def poses(self, shown: NDArray[np.intp], source: SourceView) -> Rows:
        """Return the columns of labels that need the source's face or the driving's pictures."""
        rows: Rows = {}
        if (pose := self._pose(shown, source)) is not None:
            rows["asked_head_pose"] = pose
        if (shapes := self._shapes(shown, source)) is not None:
            rows["asked_blendshapes"] = shapes
        return rows

    def take(self, first: int, shown: NDArray[np.intp], source: SourceView) -> Expected:
        """Return what frames of the file from `first` on are compared with; `shown` are the pair's frames in them."""
        followed = self._followed[shown]
        asked = self._tracks(first, shown, source)
        before = int(self._followed[shown[0] - 1]) if first else None
        if self._driving is None:
            again, tracks = template_repeats(self._template, followed, before), None
        else:
            again, tracks = repeats_shown(self._driving.repeated, followed, before), self._driving.take(followed)
        return replace(self._pictures(shown, source), asked=asked, driving=tracks, driving_repeats=again)

    def _tracks(self, first: int, shown: NDArray[np.intp], source: SourceView) -> AskedTracks:
        lips, eyes = self._openings(shown)
        return AskedTracks(
            self._pose(shown, source),
            lips if self._moves["lips"] else None,
            eyes if self._moves["eyes"] else None,
            self._shapes(shown, source),
            None if self._loudness is None else self._loudness[first : first + len(shown)],
        )

    def _openings(self, shown: NDArray[np.intp]) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
        """Return the driving's lip ratio and mean eye ratio: measured as the result's, else from its template."""
        if self._driving is not None:
            tracks = self._driving.take(self._followed[shown])
            return tracks.lips, tracks.eyes
        rows = self._ratios(shown)
        eyes = rows.get("asked_eye_ratios")
        return rows.get("asked_lip_ratio"), None if eyes is None else eyes.mean(1)

    def _ratios(self, shown: NDArray[np.intp]) -> Rows:
        names = [name for name in _RATIOS if name in self._template.names]
        if not names:
            return {}
        followed = self._followed[shown]
        low = int(followed.min())
        read = self._template.read(low, int(followed.max()) + 1, names)
        rows = {_RATIOS[name]: read[name][followed - low] for name in names}
        if "asked_lip_ratio" in rows:
            rows["asked_lip_ratio"] = rows["asked_lip_ratio"][:, 0]
        return rows

    def _pose(self, shown: NDArray[np.intp], source: SourceView) -> NDArray[np.float64] | None:
        turns = self._asked.turns(shown)
        if turns is None:
            return None
        if self._own is not None:
            own = video_rotations(self._own, self._asked.crop_to_picture(shown), shown, *self._size)
            return None if own is None else asked_angles(turns, own)
        return None if source.rotation is None else asked_angles(turns, source.rotation[None])

    def _shapes(self, shown: NDArray[np.intp], source: SourceView) -> NDArray[np.float64] | None:
        if self._driving is None or self._reference is None or source.blendshapes is None or self._own is not None:
            return None
        driving = self._driving.blendshapes[self._followed[shown]]
        if not self._work.options.flag_relative_motion:
            return driving.astype(np.float64)
        strength = self._work.options.driving_multiplier
        moved = self._reference + strength * (driving - self._reference)
        return asked_blendshapes(source.blendshapes, moved, self._reference)

    def _pictures(self, shown: NDArray[np.intp], source: SourceView) -> Expected:
        """Return the pictures pasted into, with the place of the crop, and the driving's own in self-reenactment."""
        options = self._work.options
        if not self._full or not options.paste_back:
            return Expected()
        targets = self._targets(shown) if self._is_itself(shown) else None
        if not options.flag_do_crop:
            return Expected(targets=targets)
        sources, places = self._pasted_into(shown, source), self._asked.crop_to_picture(shown)
        return Expected(targets=targets, sources=sources, crop_to_original=places)

    def _is_itself(self, shown: NDArray[np.intp]) -> bool:
        """Return whether the frames should be the driving's own: one file and one face, a video at one and the same
        time."""
        source, driving = self._work.source, self._work.driving
        if (source.uri, source.version, source.face) != (driving.uri, driving.version, driving.face):
            return False
        return not source.is_video or (not driving.start_s and bool((self._followed[shown] == shown).all()))

    def _pasted_into(self, shown: NDArray[np.intp], source: SourceView) -> NDArray[np.uint8]:
        """Return the source's pictures of the frames `shown`, in ascending order, some of which may be left out."""
        work = self._work
        if not work.source.is_video:
            return source.image[None]
        if self._sources is None:
            self._sources = self._clips.video(work.source.uri, work.source.version).frames(0, work.n_frames)
        pictures = []
        for number in shown.tolist():
            skipped, self._at = number - self._at, number + 1
            picture = next(islice(self._sources, skipped, None))
            pictures.append(self._framing.limit(picture))
        return np.stack(pictures)

    def _targets(self, shown: NDArray[np.intp]) -> NDArray[np.uint8] | None:
        driving = self._work.driving
        clip = self._clips.get(driving.uri, driving.start_s, driving.end_s, driving.version)
        pictures = gather(clip, self._followed[shown], self._framing.limit)
        same = all(picture.shape[1::-1] == self._size for picture in pictures)
        return np.stack(pictures) if same else None
