"""Options without an effect: taken out of what a pair is known by, and said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields, replace
from typing import Any

from lp_ray.contract.effects import PairFacts
from lp_ray.contract.options import PairOptions


def normalise_options(options: PairOptions, facts: PairFacts) -> PairOptions:
    """Return the options with those that have no effect in such a pair at their defaults.

    Both give the same result, so that pairs are keyed by the normalised ones, and one video serves all that differ
    in nothing else. Normalising twice changes nothing.
    """
    defaults: dict[str, Any] = {option.name: option.default for option, _, _ in _idle(options, facts)}
    return replace(options, **defaults)


def ineffective(options: PairOptions, facts: PairFacts) -> list[str]:
    """Return a line for each option that is not at its default and has no effect: its value, and why."""
    return [f"{option.name}={value}: {because}" for option, value, because in _idle(options, facts)]


def _idle(options: PairOptions, facts: PairFacts) -> Iterator[tuple[Field[Any], Any, str]]:
    """Yield declaration, value and reason of options that are set and do nothing, in the order of declaration."""
    for option in fields(PairOptions):
        value = getattr(options, option.name)
        if value == option.default:
            continue
        for condition in option.metadata["idle"]:
            if condition.holds(value, options, facts):
                yield option, value, condition.because
                break
