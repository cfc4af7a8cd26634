"""Read the tables of docs/options.md; count what is refused and what is a failed row.

    python -m scripts.option_cells                             # of the page as it is
    git show COMMIT:docs/options.md | python -m scripts.option_cells -      # as it was

A cell is what one row says of people, animals or preview.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lp_ray.contract.options import option_names

PAGE = Path(__file__).parents[1] / "docs" / "options.md"
COLUMNS = ("people", "animals", "preview")
WORDS = ("✓", "refused", "failed row", "-")
"""What a cell may say. The last one: of no concern there."""


@dataclass(frozen=True)
class Row:
    """One row: what the reference calls it, what it is here, and what is said of each of COLUMNS."""

    reference: str
    here: str
    cells: dict[str, str]

    @property
    def options(self) -> tuple[str, ...]:
        """The options that the row names, in declared order; none if it is about inputs."""
        given = self.reference if "the same" in self.here else " ".join(re.findall(r"`([^`]+)`", self.here))
        words = set(re.findall(r"\w+", given))
        return tuple(name for name in option_names() if name in words)


def read_rows(page: str) -> list[Row]:
    """Return the rows of all tables that have the three columns."""
    rows: list[Row] = []
    heads: list[str] = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if set(COLUMNS) <= set(cells):
            heads = cells
        elif not cells:
            heads = []
        elif heads and set(line) - set("|- "):
            rows.append(Row(cells[0], cells[1], {name: cells[heads.index(name)] for name in COLUMNS}))
    return rows


def count(rows: list[Row]) -> dict[str, Counter[str]]:
    """Return for each column how many cells say what."""
    return {name: Counter(row.cells[name] for row in rows) for name in COLUMNS}


def main(arguments: list[str]) -> None:
    """Print a line for each column, and their sum."""
    rows = read_rows(sys.stdin.read() if arguments == ["-"] else PAGE.read_text())
    counted = count(rows)
    print(f"{len(rows)} rows, {len(COLUMNS) * len(rows)} cells")
    for name, found in {**counted, "all": sum(counted.values(), Counter[str]())}.items():
        print(f"{name:8}", ", ".join(f"{found[word]} {word}" for word in WORDS))


if __name__ == "__main__":
    main(sys.argv[1:])
