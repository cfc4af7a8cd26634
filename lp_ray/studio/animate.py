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
from lp_ray.studio.shared import CLIPS, HIDDEN, MOTIONS, ON_DEVICE, PICTURES, Shared, told
from lp_ray.studio.views import View

_SHOWN = ("status", "kind", "n_frames", "width", "height", "duration_s", "engine", "options_without_effect")
_PLACES = {"file": "video_uri", "comparison": "comparison_uri"}
"""What a row names of the files that were made, by their columns."""


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
        result = View("Result", "result", "still", scale=2)
        # Three pictures side by side: in half a row their faces would be too small to compare.
        compared = View("Comparison", "compared", "compared-still", scale=3, visible=False)
    fields = [*result.fields, *compared.fields]
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
            made = {
                place: shared.shown(visitor, Path(str(storage.local_path(row[column]))))
                for place, column in _PLACES.items()
                if row.get(column)
            }
        shown = {name: row[name] for name in _SHOWN if row.get(name) is not None}
        shown |= {"options": changed(json.loads(row["options"]))} | {place: Path(made[place]).name for place in made}
        return *result.values(made["file"]), made["file"], shown, *compared.values(made.get("comparison"))

    def fitting(row: dict[str, Any] | None) -> Any:
        if row is None:
            return [gr.skip() for _ in fields]
        return *result.seen(row.get("file")), *compared.seen(row.get("comparison"))

    done = start.click(
        told(animate, with_request=True),
        [source, driving, edit, *components],
        [*result.fields, file, said, *compared.fields],
        api_name="animate",
        **ON_DEVICE,
    )
    done.then(fitting, said, fields, **HIDDEN)
    return edit


def _controls(edit: Any) -> dict[str, Any]:
    """Return the controls that were handed over. Raises RefusedError for anything that is no control."""
    if not isinstance(edit, dict) or not edit:
        return {}
    return dict(make_edits(edit, "edit on top"))
