"""Serve the page: to this machine alone unless told otherwise, without a word to any other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import gradio as gr
from fastapi.staticfiles import StaticFiles

from lp_ray.studio.app import KEPT_S, LOOK_S, page
from lp_ray.studio.shared import Place, Shared, prepared_environment
from lp_ray.studio.visitors import Visitors

FONTS = ("system-ui", "sans-serif")
FONTS_OF_CODE = ("ui-monospace", "monospace")


@dataclass(frozen=True)
class Served:
    """A page that is being served."""

    address: str
    close: Callable[[], None]


def serve(place: Place, host: str, port: int, auth: tuple[str, str] | None, upload_bytes: int) -> Served:
    """Serve the studio in threads of this process."""
    with ExitStack() as failing:
        failing.enter_context(prepared_environment(place))
        shared = Shared(place)
        blocks = page(shared)
        # A call past the queue would have no session, and meet others at the engine.
        blocks.queue(default_concurrency_limit=4, api_open=False)
        app, local, _ = blocks.launch(
            server_name=host,
            server_port=port or None,
            auth=auth,
            max_file_size=upload_bytes,
            allowed_paths=[],
            blocked_paths=[str(place.output), str(place.scratch / "edits")],
            prevent_thread_lock=True,
            quiet=True,
            show_error=True,
            run_history=False,
            ssr_mode=False,
            footer_links=[],
            theme=gr.themes.Default(font=list(FONTS), font_mono=list(FONTS_OF_CODE)),
        )
        if place.alone:
            app.mount("/outputs", StaticFiles(directory=place.output, follow_symlink=False))
            app.router.routes.insert(0, app.router.routes.pop())  # before the page's own, which take every path
        failing.callback(_swept(shared.visitors))
        environment = failing.pop_all()

    def close() -> None:
        shared.jobs.close()
        blocks.close()
        environment.close()

    return Served(local, close)


def _swept(visitors: Visitors) -> Callable[[], None]:
    """Remove those whose leaving is not noticed, until the returned function is called."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(LOOK_S):
            visitors.sweep(KEPT_S)

    threading.Thread(target=sweep, name="studio-sweep", daemon=True).start()
    return ended.set
