"""The tab Edit: one picture, edited live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from lp_ray.studio.forms import control_field, controls_of, given
from lp_ray.studio.presets import Presets
from lp_ray.studio.shared import HIDDEN, ON_DEVICE, PICTURE, PICTURES, Shared, told
from lp_ray.studio.visitors import Visitor


def no_edit_tab() -> None:
    """Say why there are no controls for animals, and what there is."""
    gr.Markdown(
        "The controls of this tab move people's keypoints; an animal's are other places of a face, so it has none, as "
        "in the reference. What moves an animal is its driving, in the tab *Animate*: a clip, a picture or a motion "
        "template, of an animal or of a person. `driving_multiplier` makes it stronger or weaker."
    )


def edit_tab(shared: Shared, handed: gr.JSON, kept: gr.BrowserState, blocks: gr.Blocks) -> None:
    """Build the tab. `handed` is the field of the tab Animate that an edit is handed to, `kept` the browser's presets,
    `blocks` the whole page."""
    controls = controls_of(shared.place.engine.name)
    names = [control.name for control in controls]
    gr.Markdown("One picture, edited live. *Use for this driving* hands the edit to the tab Animate.")
    with gr.Row():
        with gr.Column():
            source = gr.File(label="Picture", file_types=PICTURES, elem_id="edit-source")
            shown = gr.Image(label="Edited", elem_id="edited", interactive=False, **PICTURE)
            values = gr.JSON({}, label="Controls that are not neutral", elem_id="values")
            columns = gr.Textbox(
                label="As columns of a pairs manifest (CSV)", elem_id="columns", lines=2, interactive=False
            )
            with gr.Row():
                use = gr.Button("Use for this driving", elem_id="use")
                neutral = gr.Button("All neutral", elem_id="neutral")
            presets = Presets(shared, kept, controls)
        with gr.Column():
            sliders = [control_field(control) for control in controls]
    shared.remember(source)
    presets.wire(sliders, blocks)

    def opened(source: str | None, request: gr.Request) -> str | None:
        with shared.visitors.at_work(request.session_hash) as visitor:
            shared.visitors.note(visitor, source)
            visitor.opened = None  # a picture that cannot be opened leaves none, not the one before
            visitor.opened = shared.editor.open(Path(source)) if source else None
            return edited(visitor, {})

    def edited(visitor: Visitor, edits: dict[str, Any]) -> str | None:
        if visitor.opened is None:
            return None
        return shared.shown(visitor, shared.editor.picture(visitor.opened, edits))

    def moved(*values: Any) -> Any:
        request, found = values[-1], given(names, values[:-1])
        with shared.visitors.at_work(request.session_hash) as visitor:
            return edited(visitor, found), found, _columns(found)

    move = told(moved, with_request=True)
    opening = source.change(told(opened), source, shown, api_name="open", **ON_DEVICE)
    opening.then(move, sliders, [shown, values, columns], **HIDDEN, **ON_DEVICE)
    gr.on(
        [slider.change for slider in sliders],
        move,
        sliders,
        [shown, values, columns],
        trigger_mode="always_last",
        show_progress="hidden",
        api_name="edit",
        **ON_DEVICE,
    )
    neutral.click(lambda: presets.placed({}), None, sliders, **HIDDEN)
    use.click(lambda found: found, values, handed, **HIDDEN)


def _columns(values: dict[str, Any]) -> str:
    """Return an edit as two lines of CSV: names of columns, and values."""
    return ",".join(values) + "\n" + ",".join(f"{value:g}" for value in values.values()) if values else ""
