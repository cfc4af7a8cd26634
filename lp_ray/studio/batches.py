"""The tab Batch: jobs over manifests or dropped files, with plan, stop and resume."""

from __future__ import annotations

import re
from typing import Any, Literal

import gradio as gr

from lp_ray.base.errors import RefusedError
from lp_ray.contract.options import option_names
from lp_ray.studio.batch import Progress
from lp_ray.studio.given import INPUTS, check, gather, keep, manifest
from lp_ray.studio.shared import HIDDEN, Handler, Shared, told
from lp_ray.studio.visitors import folder_name

_ALLOWED = {*option_names(), "labels", "metrics", "retry", "runtime"} - {"edit"}
"""Settings that a visitor may type: none that says where to read or write."""

_VALUE = re.compile(r"[A-Za-z0-9_.+-]{1,40}")
"""Values of such settings. Nothing in them means anything to Hydra: `${oc.env:…}` would tell the server's secrets."""


_PHASES = {"templates": "motion templates", "pairs": "pairs"}
PAIRINGS = ("cross", "zip", "random")
_ABOUT = "cross: every source with every driving; zip: in their order; random: some drivings for each source"


def batch_tab(shared: Shared) -> None:
    """Build the tab."""
    gr.Markdown(
        "Many pairs: the command `lp-ray animate`. Stop and start again: only what is missing is made. A job goes on "
        "when you leave; its name finds it again. Outputs, and the files that a started batch was given, are common to "
        "all who may use this page."
    )
    given: list[gr.File] = []
    count: Literal["multiple", "directory"]
    for count, text in (("multiple", "files, or one manifest"), ("directory", "or a folder of them")):
        with gr.Row():
            for kind in ("source", "driving"):
                about = f"{kind.title()}s: {text}" if count == "multiple" else f"… {text}"
                of = f"batch-{kind}s" if count == "multiple" else f"batch-{kind}-folder"
                given.append(gr.File(label=about, file_count=count, elem_id=of, height=140))
    shared.remember(*given)
    with gr.Row():
        name = gr.Textbox("batch", label="Name of the output", max_lines=1, elem_id="batch-name")
        pairing = gr.Dropdown([*PAIRINGS], value="cross", label="Pairing", elem_id="batch-pairing", info=_ABOUT)
        each = gr.Number(1, label="Drivings for each source, with random", precision=0, elem_id="batch-each")
        more = gr.Textbox(label="Settings, as the command takes them: crf=22 labels=full", elem_id="batch-settings")
    with gr.Row():
        plan, start, stop, look = (
            gr.Button(text, elem_id=f"batch-{text.split()[0].lower()}")
            for text in ("Plan", "Start or resume", "Stop", "Refresh")
        )
    bar = gr.HTML(elem_id="batch-progress")
    said = gr.Textbox(label="The job", lines=14, elem_id="batch-said", interactive=False)
    timer = gr.Timer(1.0)

    def begin(dry: bool) -> Handler:
        def began(*values: Any) -> tuple[str, str]:
            *files, name, pairing, each, more, request = values
            output = shared.place.output / folder_name(name)
            shared.jobs.check_free(name)
            with shared.visitors.at_work(request.session_hash) as visitor:
                shared.visitors.note(visitor, [file for some in files for file in some or ()])
                found = {"source": gather("source", *files[::2]), "driving": gather("driving", *files[1::2])}
                settings = [f"output={output}", *_pairing(pairing, each), *shared.place.command, *_settings(more)]
                for kind, given in found.items():
                    check(given, kind, shared.place.alone)
                # A plan writes nothing to the output.
                folder = visitor.folder if dry else output / INPUTS
                for kind, given in found.items():
                    settings.append(f"{kind}s={manifest(keep(given, output / INPUTS, not dry), kind, folder)}")
            notes = [line for kind, given in found.items() for line in given.note(kind)]
            shared.jobs.start(name, [*settings, *(["dry_run=true"] if dry else [])], notes)
            return "started …", progress_bar(None)

        return began

    def state(name: str) -> tuple[str, str]:
        return shared.jobs.text(name), progress_bar(shared.jobs.progress(name))

    def stopped(name: str) -> tuple[str, str]:
        shared.jobs.stop(name)
        return state(name)

    asked, shown = [*given, name, pairing, each, more], [said, bar]
    plan.click(told(begin(True), with_request=True), asked, shown, **HIDDEN)
    start.click(told(begin(False), with_request=True), asked, shown, **HIDDEN)
    stop.click(told(stopped), name, shown, **HIDDEN)
    look.click(told(state), name, shown, **HIDDEN)
    timer.tick(told(state), name, shown, **HIDDEN, show_progress="hidden")


def progress_bar(progress: Progress | None) -> str:
    """Return how far a job has come, as a bar, made of counts and a word of ours: nothing in it is a visitor's."""
    if progress is None or not progress.total:
        return ""
    failed = f", {progress.failed} failed" if progress.failed else ""
    text = f"{_PHASES[progress.phase]}: {progress.settled} of {progress.total}{failed}"
    counts = f'max="{progress.total}" value="{progress.settled}"'
    bar = f'<progress style="width: 100%" {counts} aria-label="{text}"></progress>'
    return f"<label>{text}{bar}</label>"


def _pairing(rule: str, each: Any) -> list[str]:
    """Return the settings of a pairing rule. Raises RefusedError for one that there is not."""
    if rule not in PAIRINGS:
        raise RefusedError(f"pairing={rule!r} must be one of {', '.join(PAIRINGS)}")
    if rule != "random":
        return [f"pairing={rule}"]
    if isinstance(each, bool) or not isinstance(each, int | float) or each != int(each) or each < 1:
        raise RefusedError(f"drivings for each source={each!r} must be a whole number, 1 or more")
    return ["pairing=random", f"pairing.per_source={int(each)}"]


def _settings(typed: str) -> list[str]:
    """Return settings that a visitor typed. Raises RefusedError for those that say where to read or write."""
    found = (typed or "").split()
    for setting in found:
        name, _, value = setting.partition("=")
        if name not in _ALLOWED or not _VALUE.fullmatch(value):
            raise RefusedError(
                f"settings: {setting!r}: here only options of pairs, labels= and metrics= may be typed, in plain values"
            )
    return found
