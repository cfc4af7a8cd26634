"""The page: its tabs, and what happens when a visitor leaves."""

from __future__ import annotations

import gradio as gr

from lp_ray.contract.options import LIVEPORTRAIT
from lp_ray.studio.animate import animate_tab
from lp_ray.studio.batches import batch_tab
from lp_ray.studio.edit import edit_tab, no_edit_tab
from lp_ray.studio.lips import lips_tab
from lp_ray.studio.presets import PRESETS
from lp_ray.studio.results import results_tab
from lp_ray.studio.shared import Shared

LOOK_S = 3600
"""How often is looked for what is left behind."""
KEPT_S = 86_400 - LOOK_S
"""What is older than this is then removed: within a day, if a visitor's leaving was not noticed."""


def page(shared: Shared) -> gr.Blocks:
    """Return the page, not yet served."""
    blocks = gr.Blocks(title="lp_ray studio", analytics_enabled=False, delete_cache=(LOOK_S, KEPT_S))
    with blocks:
        gr.Markdown("# lp_ray studio")
        kept = gr.BrowserState({}, storage_key=PRESETS, secret=PRESETS)  # not in a tab: what is hidden is not read
        with gr.Tabs():
            with gr.Tab("Animate"):
                handed = animate_tab(shared)
            with gr.Tab("Edit"):
                if shared.place.engine.variant == "animal":
                    no_edit_tab()
                else:
                    edit_tab(shared, handed, kept, blocks)
            if shared.place.engine.name == LIVEPORTRAIT and shared.place.engine.variant != "animal":
                with gr.Tab("Video lips"):
                    lips_tab(shared)
            with gr.Tab("Batch"):
                batch_tab(shared)
            with gr.Tab("Results"):
                results_tab(shared)

        def leaves(request: gr.Request) -> None:
            shared.visitors.leaves(request.session_hash)

        blocks.unload(leaves)
    return blocks
