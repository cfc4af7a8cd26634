"""Somebody who visits the studio with a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lp_ray.studio.serve import Served


class Visit:
    """A visitor's page, what it asked for and complained of."""

    def __init__(self, browser: Any, served: Served) -> None:
        self.context = browser.new_context(viewport={"width": 1200, "height": 1000})
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.alarms: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: (self.alarms.append(dialog.message), dialog.dismiss()))
        self.page.goto(served.address)
        self.page.locator("#animate").wait_for()

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def give(self, field: str, *files: Any) -> None:
        self.page.set_input_files(f"#{field} input[type=file]", [f if isinstance(f, dict) else str(f) for f in files])
        self.page.locator(f"#{field}").get_by_text(re.compile(r"\d\s*K?B")).first.wait_for()

    def said(self, text: str) -> None:
        self.page.locator(".toast-body, .toast-wrap").get_by_text(text).first.wait_for()


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Visit]:
    made = Visit(browser, served)
    yield made
    made.context.close()
