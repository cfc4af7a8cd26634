"""A pair's labels as they go into an export: one `.npz` of arrays, with the shapes of docs/labels.md."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa

from lp_ray import storage
from lp_ray.base.errors import StoppedError
from lp_ray.base.limits import OURS
from lp_ray.labels.file import Labels, read_labels_file

COLUMN = "labels_uri"


def read_pair_labels(uri: str) -> Labels:
    """Read a pair's labels. Raises StoppedError if the file is missing or damaged."""
    try:
        return read_labels_file(io.BytesIO(storage.read_bytes(uri, OURS.max_bytes)))
    except FileNotFoundError as error:
        raise StoppedError(f"{storage.shown(uri)} is missing: run the job again, it makes labels whole") from error
    except (pa.ArrowInvalid, ValueError) as error:
        raise StoppedError(f"{storage.shown(uri)} is damaged: {error}") from error


def as_npz(labels: Labels) -> bytes:
    """Return a pair's labels as a compressed `.npz`, the same bytes for the same labels, without pickles."""
    sink = io.BytesIO()
    np.savez_compressed(sink, allow_pickle=False, **labels.arrays)
    return sink.getvalue()
