"""The Grafana dashboard refers only to metrics that the job has, and only to labels that they carry."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from lp_ray.base.metrics import METRICS, Metric, exported_names

DASHBOARD = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "lp_ray.json"

RAY_LABELS = frozenset({"SessionName", "NodeAddress", "WorkerId", "Component", "le"})
"""Labels that Ray puts on every series it exports (seen on Ray 2.60; tests/base/test_metrics.py scrapes them)."""

_BY_NAME: dict[str, Metric] = {name: metric for metric in METRICS for name in exported_names(metric)}
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\{([^}]*)\}")
_BY = re.compile(r"\bby \(([^)]*)\)")


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def problems(board: dict[str, Any]) -> list[str]:
    """Say what in a dashboard's queries does not exist: one line each, with the panel's title."""
    found = []
    for panel in board["panels"]:
        for target in panel["targets"]:
            found += [f"{panel['title']}: {problem}" for problem in _expression_problems(target["expr"])]
    for variable in board["templating"]["list"]:
        query = variable["query"]["query"] if variable["type"] == "query" else ""
        found += [
            f"${variable['name']}: no metric {name}" for name in re.findall(r"\bray_\w+", query) if name not in _BY_NAME
        ]
    return found


def _expression_problems(expression: str) -> list[str]:
    selectors = _SELECTOR.findall(expression)
    names = {name for name, _ in selectors} | set(re.findall(r"\bray_\w+", expression))
    if not names:
        return [f"no metric in {expression}"]
    if unknown := sorted(names - set(_BY_NAME)):
        return [f"no metric {name}" for name in unknown]
    labels = {label.strip() for group in _BY.findall(expression) for label in group.split(",")}
    labels |= {
        label for _, inside in selectors for label in re.findall(r"(\w+)\s*[!=]=?~?", re.sub(r'"[^"]*"', "", inside))
    }
    return [
        f"{name} has no label {label}"
        for name in sorted(names)
        for label in sorted(labels - RAY_LABELS - set(_BY_NAME[name].tags))
    ]


def test_every_query_is_of_existing_metrics(dashboard: dict[str, Any]) -> None:
    assert problems(dashboard) == []


def test_every_metric_is_shown(dashboard: dict[str, Any]) -> None:
    """A metric that nobody sees is a cost without a use."""
    expressions = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    assert [m.name for m in METRICS if not any(name in expressions for name in exported_names(m))] == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("ray_lp_ray_frames_total", "ray_lp_ray_frame_total", "Frames per second: no metric ray_lp_ray_frame_total"),
        ("ray_lp_ray_frames_total", "lp_ray_frames_total", "Frames per second: no metric lp_ray_frames_total"),
        ("by (queue)", "by (name)", "Queue depths: ray_lp_ray_queue_depth has no label name"),
        ('outcome="hit"', 'result="hit"', "Cache hits: ray_lp_ray_cache_lookups_total has no label result"),
    ],
)
def test_a_wrong_name_is_refused(dashboard: dict[str, Any], old: str, new: str, reason: str) -> None:
    changed = copy.deepcopy(dashboard)
    for panel in changed["panels"]:
        for target in panel["targets"]:
            target["expr"] = target["expr"].replace(old, new)
    assert changed != dashboard
    assert reason in problems(changed)


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        own = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert max(x for x, _ in own) < 24
        assert not own & cells, panel["title"]
        cells |= own
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
