"""The table of metrics, and the page that shows it."""

from __future__ import annotations

import re
from pathlib import Path

from lp_ray.quality.table import METRICS, NAMES, markdown, names

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_every_metric_is_declared_once_and_whole() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
        assert metric.low is None or metric.high is None or metric.low < metric.high
        assert metric.unit and metric.definition and metric.source and "|" not in metric.definition


def test_fast_is_a_part_of_full() -> None:
    assert names("full") == NAMES
    assert set(names("fast")) < set(NAMES)


def test_the_page_shows_the_table() -> None:
    """scripts.doc_tables.py writes the table."""
    assert markdown() in PAGE.read_text(), "run: python -m scripts.doc_tables"


def test_the_page_speaks_of_known_metrics_only() -> None:
    spoken_of = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", PAGE.read_text()))
    assert spoken_of <= set(NAMES), spoken_of - set(NAMES)
