"""The tab Results: the gallery of an output under the studio's folder."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.gallery.build import build
from lp_ray.studio.shared import HIDDEN, Shared, told
from lp_ray.studio.visitors import folder_name


def results_tab(shared: Shared) -> None:
    """Build the tab."""
    gr.Markdown("The gallery of an output under the studio's folder.")
    with gr.Row():
        chosen = gr.Dropdown(outputs(shared.place.output), label="Output", elem_id="results-output")
        again = gr.Button("Look again", elem_id="results-again")
        make = gr.Button("Make the gallery", variant="primary", elem_id="results-make")
    said = gr.Markdown(elem_id="results-said")

    def made(name: str) -> str:
        folder = shared.place.output / folder_name(name)
        if not folder.is_dir():
            raise RefusedError(f"output={name}: there is none of this name")
        found = build(str(folder), policy=shared.policy)
        where = storage.local_path(found.page)
        link = f"[open it](/outputs/{name}/gallery/index.html)" if shared.place.alone else "open it there"
        return f"{found.rows} pairs, {found.n_lacking} files that cannot be shown: {link} (`{where}`)"

    again.click(lambda: gr.Dropdown(outputs(shared.place.output)), None, chosen, **HIDDEN)
    make.click(told(made), chosen, said, **HIDDEN)


def outputs(folder: Path) -> list[str]:
    """Return the names of the outputs in a folder."""
    return sorted(path.name for path in folder.iterdir() if (path / "results").is_dir())
