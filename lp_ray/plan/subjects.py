"""Decide whether sources are people or animals, from their rows and the job's settings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError
from lp_ray.contract.face_rules import BEST_FACE
from lp_ray.contract.variants import AUTO, SUBJECTS
from lp_ray.plan.pairing import Pairs


def fill_subjects(sources: pa.Table, subject: str, variant: str) -> pa.Table:
    """Return the sources with a subject in every row, and with the face rule of animals where one is searched for.

    `subject` is the job's setting; if it is empty, the engine's variant decides. Raises RefusedError for an unknown
    one.
    """
    if subject and subject not in SUBJECTS:
        raise RefusedError(f"subject={subject!r} must be one of {', '.join(SUBJECTS)}")
    filled = _set(sources, "subject", pc.coalesce(sources["subject"], pa.scalar(subject or variant)))
    marks = pa.array(searched(filled, variant))
    faces = pc.if_else(pc.and_(marks, pc.is_null(filled["face"])), BEST_FACE, filled["face"])
    return _set(filled, "face", faces)


def searched(sources: pa.Table, variant: str) -> NDArray[np.bool_]:
    """Mark the rows in which an animal must be searched for: those without a box, in a job on animals."""
    if variant != "animal":
        return np.zeros(len(sources), np.bool_)
    animals = pc.is_in(sources["subject"], pa.array(["animal", AUTO]))
    marks: NDArray[np.bool_] = pc.and_(animals, pc.is_null(sources["box"])).to_numpy()
    return marks


def searched_pairs(sources: pa.Table, pairs: Pairs, variant: str) -> NDArray[np.bool_]:
    """Mark the pairs for which an animal must be searched for: the source row is `searched`, and the pair's options
    crop."""
    rows = searched(sources, variant)
    if not rows.any():
        return np.zeros(len(pairs), np.bool_)
    crops = np.array([options.flag_do_crop for options in pairs.option_sets])
    marks: NDArray[np.bool_] = rows[pairs.source_index] & crops[pairs.option_index]
    return marks


def _set(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
