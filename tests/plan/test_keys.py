"""Keys change with everything that changes a result, and with nothing else."""

from __future__ import annotations

import typing
from dataclasses import fields, replace
from typing import Any, Literal

import pytest

from lp_ray.contract.options import PairOptions
from lp_ray.plan import keys

SOURCE = {"uri": "file:///a.jpg", "version": "1", "face": "0", "box": None, "subject": "human"}
DRIVING = {"uri": "file:///a.mp4", "version": "1", "face": "0", "start_s": None, "end_s": None}


def test_every_field_of_an_input_is_in_its_key() -> None:
    changes = {"uri": "file:///b", "version": "2", "face": "1", "box": [0, 0, 1, 1], "subject": "animal"}
    made = {keys.source_key(**SOURCE), *(keys.source_key(**(SOURCE | {k: v})) for k, v in changes.items())}
    assert len(made) == 1 + len(changes)
    changes = {"uri": "file:///b", "version": "2", "face": "1", "start_s": 1.0, "end_s": 1.0}
    made = {keys.driving_key(**DRIVING), *(keys.driving_key(**(DRIVING | {k: v})) for k, v in changes.items())}
    assert len(made) == 1 + len(changes)


def _another(kind: Any, value: Any) -> Any:
    """Return a value of the option's kind that is not its default."""
    if typing.get_origin(kind) is Literal:
        return next(choice for choice in typing.get_args(kind) if choice != value)
    if kind is bool:
        return not value
    return "neutral" if kind is str else value + 1


def test_every_option_is_in_the_pairs_key() -> None:
    options = PairOptions()
    hints = typing.get_type_hints(PairOptions)
    changed = [replace(options, **{f.name: _another(hints[f.name], getattr(options, f.name))}) for f in fields(options)]
    texts = [keys.options_json(made) for made in (options, *changed)]
    assert len({keys.pair_key("s", "d", text, "w") for text in texts}) == 1 + len(fields(options))


def test_parts_do_not_run_into_each_other() -> None:
    assert keys.pair_key("ab", "c", "o", "w") != keys.pair_key("a", "bc", "o", "w")


def test_what_all_pairs_share_is_in_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine with its weights, the detector with its model, settings of the tracking, and this code's version."""
    shared = ("engine", "detector", {"max_missing_fraction": 0.2})
    others = [("e", *shared[1:]), (shared[0], "d", shared[2]), (*shared[:2], {"max_missing_fraction": 0.3})]
    assert len({keys.work_digest(*made) for made in (shared, *others)}) == 4
    assert len({keys.template_key("clip", *made) for made in (shared, *others)}) == 4
    assert keys.template_key("another", *shared) != keys.template_key("clip", *shared)
    before = keys.work_digest(*shared)
    monkeypatch.setattr(keys, "OUTPUT_VERSION", keys.OUTPUT_VERSION + 1)
    assert keys.work_digest(*shared) != before
