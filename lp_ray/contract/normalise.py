"""Set options without effect to their defaults, and report them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields, replace
from typing import Any

from lp_ray.contract.effects import PairFacts
from lp_ray.contract.options import PairOptions


def normalise_options(options: PairOptions, facts: PairFacts) -> PairOptions:
    """Return the options, with those that have no effect in this pair set to their defaults.

    Both give the same result. So pairs get their keys from normalised options, and pairs that differ only in options
    without effect share one result. Normalising twice changes nothing.
    """
    defaults: dict[str, Any] = {option.name: option.default for option, _, _ in _idle(options, facts)}
    return replace(options, **defaults)


def ineffective(options: PairOptions, facts: PairFacts) -> list[str]:
    """Return one line for each option that is not at its default and has no effect: its value and the reason."""
    return [f"{option.name}={value}: {because}" for option, value, because in _idle(options, facts)]


def _idle(options: PairOptions, facts: PairFacts) -> Iterator[tuple[Field[Any], Any, str]]:
    """Yield declaration, value and reason of each option that is set and has no effect, in declared order."""
    for option in fields(PairOptions):
        value = getattr(options, option.name)
        if value == option.default:
            continue
        for condition in option.metadata["idle"]:
            if condition.holds(value, options, facts):
                yield option, value, condition.because
                break
