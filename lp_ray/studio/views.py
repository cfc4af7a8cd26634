"""Where a page shows a file that was made: as a video or as a picture, whichever a browser can play."""

from __future__ import annotations

from pathlib import PurePath

import gradio as gr

from lp_ray.studio.shared import PICTURE

PLAYED = frozenset({".mp4", ".webm"})
"""Suffixes of results that browsers play as videos. None plays ProRes (`.mov`) or opens archives of frames."""
PICTURED = frozenset({".png", ".gif"})
"""Suffixes of results that browsers show as pictures; a GIF moves."""


class View:
    """A video and a picture in one place, of which one is seen at a time."""

    def __init__(self, label: str, video: str, picture: str, scale: int, visible: bool = True) -> None:
        """`video` and `picture` are the names of the two in the page, `scale` is their share of a row. `visible` says
        whether the empty video is seen."""
        self.fields: list[gr.Video | gr.Image] = [
            gr.Video(label=label, elem_id=video, interactive=False, scale=scale, visible=visible),
            gr.Image(label=label, elem_id=picture, interactive=False, scale=scale, visible=False, **PICTURE),
        ]

    def values(self, path: str | None) -> list[str | None]:
        """Return what the two show of a file; nothing of one that browsers cannot show, or of none."""
        return [path if can else None for can in _can(path)]

    def seen(self, name: str | None) -> list[gr.Video | gr.Image]:
        """Return which of the two are seen for a file of this name."""
        video, picture = _can(name)
        return [gr.Video(visible=video), gr.Image(visible=picture)]


def _can(name: str | None) -> tuple[bool, bool]:
    suffix = PurePath(name or "").suffix
    return suffix in PLAYED, suffix in PICTURED
