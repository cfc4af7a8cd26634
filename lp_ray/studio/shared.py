"""What all tabs of the page share: where it works, its visitors, one engine and its queue, how errors are told."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path, PurePath
from typing import Any

import gradio as gr
from gradio import processing_utils

from lp_ray import storage
from lp_ray.api import LivePortraitPipeline, LivePortraitPipelineAnimal, PairFailedError
from lp_ray.base.arrays import Image
from lp_ray.base.errors import LpRayError
from lp_ray.contract.media_kinds import (
    IMAGE_SUFFIXES,
    MAY_MOVE,
    PERFORMANCE_SUFFIXES,
    TEMPLATE_SUFFIXES,
    VIDEO_SUFFIXES,
)
from lp_ray.engine.protocol import EngineSpec
from lp_ray.storage import Policy
from lp_ray.studio.batch import BatchJobs
from lp_ray.studio.editor import Editor
from lp_ray.studio.visitors import Visitor, Visitors

Handler = Callable[..., Any]

ON_DEVICE: dict[str, Any] = {"concurrency_id": "device", "concurrency_limit": 1}
"""Arguments of every event that uses the engine: together they are one queue."""

HIDDEN: dict[str, Any] = {"api_visibility": "private"}
"""Arguments of events that only the page itself calls."""

PICTURE: dict[str, Any] = {"format": "png", "buttons": ["download", "fullscreen"]}
"""Arguments of every picture that is shown: as made, and with no button that sends it elsewhere."""

PICTURES = sorted(IMAGE_SUFFIXES | MAY_MOVE)
CLIPS = sorted(VIDEO_SUFFIXES | MAY_MOVE)
_LAST = {PurePath(f"a{suffix}").suffix for suffix in PERFORMANCE_SUFFIXES}
"""Browsers look at the last suffix of a name alone."""
MOTIONS = sorted(TEMPLATE_SUFFIXES | PERFORMANCE_SUFFIXES | _LAST)


@dataclass(frozen=True)
class Place:
    """Where the studio works: `output` for batches and their galleries, `scratch` for what nobody else may see."""

    output: Path
    scratch: Path
    engine: EngineSpec
    command: tuple[str, ...] = ()
    """What batches are told of the engine, as the command takes it."""
    alone: bool = True
    """Whether the page is for the user of this machine only. Then it serves galleries, and takes manifests, which may
    name any file."""

    @property
    def uploads(self) -> Path:
        """Where gradio keeps what is uploaded, and copies of what is shown, each in a folder named by its content."""
        return self.scratch / "uploads"


class Shared:
    """What tabs work with."""

    def __init__(self, place: Place) -> None:
        folders, engine = place.scratch / "visitors", place.engine
        folders.mkdir(parents=True, exist_ok=True)
        self.place = place
        self.visitors = Visitors(folders, place.uploads)
        self.policy = Policy()
        self.jobs = BatchJobs()
        kind = LivePortraitPipelineAnimal if engine.variant == "animal" else LivePortraitPipeline
        own = dict(engine.settings)
        self.pipeline = kind(
            engine.weights, engine.device, engine.precision, engine.size, engine.name, self.policy, own
        )
        self.editor = Editor(engine, place.scratch / "edits", self.policy)

    def shown(self, visitor: Visitor, made: Path | Image) -> str:
        """Return the place of a file or picture from where the page shows it; it goes when the visitor leaves."""
        folder = str(self.place.uploads)
        if isinstance(made, Path):
            path = str(processing_utils.save_file_to_cache(made, folder))
        else:
            path = str(processing_utils.save_img_array_to_cache(made, folder, PICTURE["format"]))
        self.visitors.note(visitor, path)
        return path

    def remember(self, *fields: gr.File | gr.UploadButton) -> None:
        """Remember whose the files are that are put into these fields."""

        def noted(files: Any, request: gr.Request) -> None:
            with self.visitors.at_work(request.session_hash) as visitor:
                self.visitors.note(visitor, files)

        for field in fields:
            field.upload(told(noted), field, None, **HIDDEN, show_progress="hidden")


def told(work: Handler, with_request: bool = False) -> Handler:
    """Return a handler whose errors are the line that the command would print; nothing in it is markup."""
    if with_request:

        def handler(request: gr.Request, *values: Any) -> Any:
            return _guarded(work, *values, request)

        return handler

    @wraps(work)
    def plain(*values: Any, **named: Any) -> Any:
        return _guarded(work, *values, **named)

    return plain


def _guarded(work: Handler, *values: Any, **named: Any) -> Any:
    try:
        return work(*values, **named)
    except (LpRayError, PairFailedError) as error:
        raise gr.Error(html.escape(storage.redact(str(error))), duration=None, print_exception=False) from error


@contextmanager
def prepared_environment(place: Place) -> Iterator[None]:
    """Keep gradio's files in the studio's own folder, and gradio from calling anybody. Afterwards all is as before.

    gradio reads its folder at every upload, from the process: of two studios in one process the younger works, and the
    elder again when the younger is closed.
    """
    ours = {"GRADIO_TEMP_DIR": str(place.uploads), "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
