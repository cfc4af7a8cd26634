"""Recognise files that jobs wrote, by folder and name, so that they are never taken as inputs."""

from __future__ import annotations

import re

from lp_ray import storage
from lp_ray.output.sidecars.protocol import SIDECARS

MARK = ".lp_ray"
"""A folder that exists in every output and nowhere else."""

FOLDERS = (
    "videos",
    "comparisons",
    "results",
    "history",
    "templates",
    "labels",
    "summaries",
    "tracebacks",
    "sheets",
    "by_name",
    "arrays",
    "selections",
)
"""The folders of an output. A user's own files may lie beside them. Sidecars add folders with their own names."""

_STORED = re.compile(r"[0-9a-f]{32}\.npz")
"""The name of a file in a template store: its key."""


def is_stored_template(uri: str) -> bool:
    """Return whether a file has the name of a file in a template store."""
    return bool(_STORED.fullmatch(storage.name_of(uri)))


def not_own(found: storage.Found) -> list[str]:
    """Return the files of a search with `marker=MARK` that no job wrote.

    The search itself does not enter outputs below the searched folder. If the searched folder is an output, this
    function leaves out its folders.
    """
    if found.root not in found.marked:
        return found.files
    own = tuple(f"{storage.join(found.root, name)}/" for name in (*FOLDERS, *SIDECARS.names()))
    return [uri for uri in found.files if not uri.startswith(own)]
