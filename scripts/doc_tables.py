"""Write the tables that docs show of declarations in the code, between their marks: python -m scripts.doc_tables"""

from __future__ import annotations

from pathlib import Path

from lp_ray.contract import edits, input_filters
from lp_ray.labels import table as labels
from lp_ray.quality import table

DOCS = Path(__file__).parents[1] / "docs"
END = "<!-- end of table -->"

TABLES = {
    "metrics.md": ("<!-- table: lp_ray/quality/table.py -->", table.markdown),
    "labels.md": ("<!-- table: lp_ray/labels/table.py -->", labels.markdown),
    "datasets.md": ("<!-- table: lp_ray/contract/input_filters.py -->", input_filters.markdown),
    "editing.md": ("<!-- table: lp_ray/contract/edits.py -->", edits.markdown),
}


def main() -> None:
    """Replace what stands between the marks of every page."""
    for name, (begin, markdown) in TABLES.items():
        page = DOCS / name
        before, rest = page.read_text().split(begin)
        page.write_text(f"{before}{begin}\n{markdown()}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
