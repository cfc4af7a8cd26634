"""Presets of the tab Edit: the carried ones, and a visitor's own, which stay in their browser and travel as YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import Control, Edits, check_preview, make_edits
from lp_ray.contract.presets import preset, preset_names, read_presets, write_presets
from lp_ray.studio.forms import given
from lp_ray.studio.shared import HIDDEN, Shared, told
from lp_ray.studio.visitors import folder_name

PRESETS = "lp_ray studio presets"
"""Where a browser keeps a visitor's presets; the same name after a restart, so that they are found again."""
MOST_PRESETS = 200
"""A browser keeps a few megabytes for a page, and then nothing more without a word."""


class Presets:
    """Fields for presets, built where this is made, and what they do to the sliders of `controls`."""

    def __init__(self, shared: Shared, kept: gr.BrowserState, controls: Sequence[Control]) -> None:
        self._shared, self._kept, self._controls = shared, kept, controls
        with gr.Row():
            self._chosen = gr.Dropdown(["", *preset_names()], label="Preset", value="", elem_id="preset")
            self._name = gr.Textbox(label="Keep as (in this browser)", max_lines=1, elem_id="preset-name")
            self._keep = gr.Button("Keep", elem_id="keep-preset")
        self._mine = gr.Dropdown([], label="Kept presets", elem_id="kept-presets")
        with gr.Row():
            self._save = gr.Button("Save kept presets (YAML)", elem_id="save-presets")
            self._load = gr.UploadButton("Load presets (YAML)", file_types=[".yaml", ".yml"], elem_id="load-presets")
        self._saved = gr.File(label="Kept presets, for edit=FILE:NAME", elem_id="saved-presets", interactive=False)

    def wire(self, sliders: Sequence[gr.Slider], blocks: gr.Blocks) -> None:
        """Connect the fields with the sliders, in the order of the controls. `blocks` is the whole page."""
        kept, mine = self._kept, self._mine
        self._shared.remember(self._load)
        blocks.load(lambda kept: gr.Dropdown(sorted(checked(kept))), kept, mine, **HIDDEN)
        self._chosen.change(told(self._of_carried), self._chosen, [*sliders], **HIDDEN)
        mine.input(told(self._of_kept), [mine, kept], [*sliders], **HIDDEN)
        self._keep.click(told(self._keep_one), [self._name, kept, *sliders], [kept, mine], **HIDDEN)
        self._save.click(told(self._save_all), kept, self._saved, **HIDDEN)
        self._load.upload(told(self._load_all), [self._load, kept], [kept, mine, *sliders], **HIDDEN)

    def placed(self, edits: Edits) -> list[float]:
        """Return the sliders' values for an edit. Raises RefusedError for controls that the engine has not got."""
        if self._shared.place.engine.name == "preview":
            check_preview(edits, "preset")
        return [edits.get(c.name, -1.0 if c.neutral is None else c.neutral) for c in self._controls]

    def _of_carried(self, name: str) -> list[float]:
        return self.placed(preset(name, "preset") if name else {})

    def _of_kept(self, name: str, kept: Any) -> list[float]:
        return self.placed(checked(kept).get(name, {}))

    def _keep_one(self, name: str, kept: Any, *values: Any) -> Any:
        folder_name(name)
        edit = given([control.name for control in self._controls], values)
        return _holding({**checked(kept), name: edit}, name)

    def _save_all(self, kept: Any, request: gr.Request) -> str:
        presets = checked(kept)
        if not presets:
            raise RefusedError("presets: none are kept in this browser: type a name under Keep as, and press Keep")
        with self._shared.visitors.at_work(request.session_hash) as visitor:
            path = visitor.folder / "presets.yaml"
            write_presets(path, presets)
            return self._shared.shown(visitor, path)

    def _load_all(self, file: str, kept: Any) -> Any:
        loaded = read_presets(Path(file), "presets")
        if not loaded:
            raise RefusedError("presets: there are none in this file")
        for name in loaded:
            folder_name(name)
        first = next(iter(loaded))
        return *_holding({**checked(kept), **loaded}, first), *self.placed(loaded[first])


def _holding(presets: dict[str, Edits], shown: str) -> tuple[dict[str, dict[str, float]], gr.Dropdown]:
    """Return what a browser is to keep, and the field that shows one of them. Raises RefusedError for too many."""
    if len(presets) > MOST_PRESETS:
        raise RefusedError(f"presets: these would be {len(presets)}, and a browser keeps {MOST_PRESETS}: load fewer")
    return {name: dict(edits) for name, edits in presets.items()}, gr.Dropdown(sorted(presets), value=shown)


def checked(kept: Any) -> dict[str, Edits]:
    """Return the presets that a browser kept. Raises RefusedError for what is no edit: a browser may send anything."""
    if not isinstance(kept, dict):
        return {}
    tables = {str(name): values for name, values in kept.items() if isinstance(values, dict)}
    return {name: make_edits(values, f"preset {name}") for name, values in tables.items()}
