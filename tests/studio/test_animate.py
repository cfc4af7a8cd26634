"""The tab Animate in a real browser: a result and its comparison are both seen, each as what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import browser, needs_browser, one_at_a_time
from tests.generated import Generated
from tests.studio.visit import Visit, visit

__all__ = ["browser", "visit"]

pytestmark = one_at_a_time

PLAYS = "selector => document.querySelector(selector)?.readyState >= 1"
DRAWN = "selector => document.querySelector(selector)?.naturalWidth > 0"


@needs_browser
@pytest.mark.parametrize(
    ("kind", "comparison", "shown", "hidden"),
    [
        ("gif", True, {"#still img": DRAWN, "#compared video": PLAYS}, ["#result", "#compared-still"]),
        ("webm", False, {"#result video": PLAYS}, ["#still", "#compared", "#compared-still"]),
        ("mov", True, {"#compared video": PLAYS}, ["#result", "#still", "#compared-still"]),
    ],
)
def test_a_result_and_its_comparison_are_seen(
    visit: Visit,
    generated: Generated,
    clip: Path,
    kind: str,
    comparison: bool,
    shown: dict[str, str],
    hidden: list[str],
) -> None:
    page = visit.page
    visit.give("source", generated.portrait)
    visit.give("driving", clip)
    page.get_by_role("button", name="Result options").click()
    page.get_by_label("format", exact=True).click()
    page.get_by_role("option", name=kind, exact=True).click()
    if comparison:
        page.get_by_label("comparison", exact=True).check()
    page.click("#animate")
    for selector, seen in shown.items():
        page.locator(selector).wait_for(timeout=60_000)
        page.wait_for_function(seen, arg=selector)
    page.locator("#file").get_by_text(f".{kind}").first.wait_for()
    for selector in hidden:
        page.locator(selector).wait_for(state="hidden")
