"""Read the labels of an output's pairs."""

from __future__ import annotations

import io

from lp_ray import storage
from lp_ray.base.errors import NoLabelsError
from lp_ray.labels.file import Labels, read_labels_file
from lp_ray.output.layout import OutputLayout
from lp_ray.storage.guard import guarded


@guarded
def read_labels(output: str, pair_id: str) -> Labels:
    """Return the labels of a pair. Raises NoLabelsError if there are none, or if their file is damaged."""
    uri = OutputLayout(storage.normalise(output)).labels_of(pair_id)
    if not storage.exists(uri):
        raise NoLabelsError(f"{storage.display(uri)}: no labels of this pair: make it with labels=asked or labels=full")
    try:
        return read_labels_file(io.BytesIO(storage.read_bytes(uri)))
    except ValueError as error:
        raise NoLabelsError(f"{storage.display(uri)}: {error}; delete it and run the job again") from error
