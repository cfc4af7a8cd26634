"""How a benchmark is a command: it does what its words say, or refuses them in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from lp_ray.base.errors import InputError, RefusedError
from lp_ray.storage import redact

EXIT_REFUSED = 2
"""As a command's: `jobs.exit_codes`, which lies elsewhere where lp_ray is installed."""


def command(run: Callable[[Sequence[str]], int | None]) -> None:
    """Run with the words that were typed, and end the process with its exit code."""
    try:
        code = run(sys.argv[1:])
    except (RefusedError, InputError) as error:
        print(f"refused: {redact(str(error))}", file=sys.stderr)
        code = EXIT_REFUSED
    sys.exit(code or 0)


def named(words: Sequence[str]) -> dict[str, str]:
    """Return words of the form `name=value` by name. Raises RefusedError for another."""
    for word in words:
        if "=" not in word:
            raise RefusedError(f"{word!r} must be of the form name=value")
    return dict(word.split("=", 1) for word in words)


def counts(words: Sequence[str], usage: str) -> list[int]:
    """Return words that are whole numbers from 1, such as 10000 or 10,000. Raises RefusedError for another."""
    for word in words:
        digits = word.replace(",", "")
        if not (digits.isascii() and digits.isdecimal() and int(digits)):
            raise RefusedError(f"{word!r} must be a whole number from 1 ({usage})")
    return [int(word.replace(",", "")) for word in words]
