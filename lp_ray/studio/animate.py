"""The tab Animate: a source, moved by a driving, with every option of a pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import make_edits
from lp_ray.contract.options import changed
from lp_ray.studio.forms import given, option_field, options_of
from lp_ray.studio.shared import CLIPS, HIDDEN, MOTIONS, ON_DEVICE, PICTURE, PICTURES, Shared, told

_SHOWN = ("status", "kind", "n_frames", "width", "height", "duration_s", "engine", "options_without_effect")


def animate_tab(shared: Shared) -> gr.JSON:
    """Build the tab. Return the field that takes an edit from the tab Edit."""
    engine, variant = shared.place.engine.name, shared.place.engine.variant
    gr.Markdown("A source, moved by a driving. What stands in *Edit* is added only if you hand it over there.")
    with gr.Row():
        source = gr.File(label="Source: picture or video", file_types=PICTURES + CLIPS, elem_id="source")
        driving = gr.File(
            label="Driving: clip, picture, motion template or performance",
            file_types=CLIPS + PICTURES + MOTIONS,
            elem_id="driving",
        )
    shared.remember(source, driving)
    edit = gr.JSON({}, label="Edit on top (from the tab Edit)", elem_id="handed")
    names, components = [], []
    for heading, options in options_of(engine, variant).items():
        with gr.Accordion(f"{heading} options", open=False):
            for option in options:
                names.append(option.name)
                components.append(option_field(option))
    start = gr.Button("Animate", variant="primary", elem_id="animate")
    with gr.Row():
        result = gr.Video(label="Result", elem_id="result", interactive=False)
        still = gr.Image(label="Result (one picture)", elem_id="still", interactive=False, visible=False, **PICTURE)
    file = gr.File(label="The file", elem_id="file", interactive=False)
    said = gr.JSON(label="Row of the results", elem_id="row")

    def animate(source: str | None, driving: str | None, edit: dict[str, Any], *values: Any) -> Any:
        request = values[-1]
        if not source:
            raise RefusedError("source: give a picture or a video")
        options = {**given(names, values[:-1]), **_controls(edit)}
        with shared.visitors.at_work(request.session_hash) as visitor:
            shared.visitors.note(visitor, [source, driving])
            row = shared.pipeline.animate(source, driving or "none", visitor.folder / "out", **options)
            made = storage.local_path(row["comparison_uri"] or row["video_uri"])
            path = shared.shown(visitor, Path(str(made)))
        shown = {name: row[name] for name in _SHOWN if row.get(name) is not None} | {
            "options": changed(json.loads(row["options"]))
        }
        still = path if row["kind"] in ("image", "gif") else None
        return path if row["kind"] == "video" else None, still, path, shown

    def fitting(row: dict[str, Any] | None) -> Any:
        picture = row is not None and row["kind"] in ("image", "gif")
        return gr.Video(visible=not picture), gr.Image(visible=picture)

    made = start.click(
        told(animate, with_request=True),
        [source, driving, edit, *components],
        [result, still, file, said],
        api_name="animate",
        **ON_DEVICE,
    )
    made.then(fitting, said, [result, still], **HIDDEN)
    return edit


def _controls(edit: Any) -> dict[str, Any]:
    """Return the controls that were handed over. Raises RefusedError for anything that is no control."""
    if not isinstance(edit, dict) or not edit:
        return {}
    return dict(make_edits(edit, "edit on top"))
