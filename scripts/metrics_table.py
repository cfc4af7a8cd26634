"""Write the table of metrics into docs/metrics.md, between its two marks: python -m scripts.metrics_table"""

from __future__ import annotations

from pathlib import Path

from lp_ray.quality.table import markdown

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
BEGIN, END = "<!-- table: lp_ray/quality/table.py -->", "<!-- end of table -->"


def main() -> None:
    """Replace what stands between the marks."""
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{markdown()}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
