"""What jobs have made, told from a user's own files by where it lies and what it is called: it is never an input."""

from __future__ import annotations

import re

from lp_ray import storage

MARK = ".lp_ray"
"""A folder that every output holds, and nothing else."""

FOLDERS = ("videos", "comparisons", "results", "templates", "summaries", "tracebacks", "sheets")
"""Folders of an output, beside which a user's own files may lie."""

_STORED = re.compile(r"[0-9a-f]{32}\.npz")
"""Name of a file in a template store: its key."""


def is_stored_template(uri: str) -> bool:
    """Whether a file is called as those in a template store are."""
    return bool(_STORED.fullmatch(storage.name_of(uri)))


def not_own(found: storage.Found) -> list[str]:
    """Return the files of a search with `marker=MARK` that no job has made.

    Of outputs below the searched folder it has found none; where that is an output itself, its folders are left out.
    """
    if found.root not in found.marked:
        return found.files
    own = tuple(f"{storage.join(found.root, name)}/" for name in FOLDERS)
    return [uri for uri in found.files if not uri.startswith(own)]
