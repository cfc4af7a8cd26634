"""The tab Video lips: a source video's lips by one ratio, or its silence, without a driving."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import BY_NAME
from lp_ray.contract.options import PairOptions
from lp_ray.studio.forms import option_field
from lp_ray.studio.shared import CLIPS, ON_DEVICE, Shared, told

_OPTIONS = ("lip_smooth", "silence")


def lips_tab(shared: Shared) -> None:
    """Build the tab."""
    gr.Markdown("A video, its lips opened or closed in every frame, or its face at rest but for the eyes.")
    source = gr.File(label="Video", file_types=CLIPS, elem_id="lips-source")
    shared.remember(source)
    ratio = gr.Slider(
        0, BY_NAME["lip_ratio"].high, value=0.0, step=0.01, label="lip_ratio", info=BY_NAME["lip_ratio"].text
    )
    declared = {option.name: option for option in fields(PairOptions)}
    smooth, silence = (option_field(declared[name]) for name in _OPTIONS)
    start = gr.Button("Animate the lips", variant="primary", elem_id="lips-animate")
    result = gr.Video(label="Result", elem_id="lips-result", interactive=False)

    def lips(source: str | None, ratio: float, smooth: float, silence: bool, request: gr.Request) -> Any:
        if not source:
            raise RefusedError("video: give one")
        wanted: dict[str, Any] = {"silence": True} if silence else {"lip_ratio": ratio, "lip_smooth": smooth}
        with shared.visitors.at_work(request.session_hash) as visitor:
            shared.visitors.note(visitor, source)
            row = shared.pipeline.animate(source, "none", visitor.folder / "out", **wanted)
            return shared.shown(visitor, Path(str(storage.local_path(row["video_uri"]))))

    start.click(told(lips), [source, ratio, smooth, silence], result, api_name="lips", **ON_DEVICE)
