"""How many clips and ranges were covered, printed at the end of a run."""

from __future__ import annotations

import pytest

from .ranges import COVERED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COVERED:
        terminalreporter.write_line(f"media: {COVERED['ranges']} ranges of {COVERED['clips']} clips checked")
