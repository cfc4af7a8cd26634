"""The contract with users: the columns of the results table."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from lp_ray.contract.measuring import ARCFACE_COLUMN, LABELS_COLUMN, METRICS_COLUMN, SOURCE_FACE
from lp_ray.contract.rights import result_columns

FPS_TYPE = pa.struct([("numerator", pa.int64()), ("denominator", pa.int64())])
SECONDS_TYPE = pa.struct([("template", pa.float64()), ("finalize", pa.float64())])
"""Fields that every row has. The stages of the job's graph come between them (`seconds_type`)."""

RESULT_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("source_id", pa.string()),
        ("driving_id", pa.string()),
        ("source_uri", pa.string()),
        ("source_version", pa.string()),
        ("driving_uri", pa.string()),
        ("driving_version", pa.string()),
        ("cast", pa.string()),
        *result_columns("source").items(),
        *result_columns("driving").items(),
        ("status", pa.string()),
        ("stage", pa.string()),
        ("error_class", pa.string()),
        ("error", pa.string()),
        ("score", pa.float64()),
        ("traceback_uri", pa.string()),
        ("video_uri", pa.string()),
        ("kind", pa.string()),
        ("digital_source_type", pa.string()),
        ("credentials", pa.string()),
        ("comparison_uri", pa.string()),
        ("n_frames", pa.int64()),
        ("fps", FPS_TYPE),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
        ("duration_s", pa.float64()),
        ("has_audio", pa.bool_()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("engine", pa.string()),
        ("engine_digest", pa.string()),
        ("licences", pa.list_(pa.string())),
        ("options", pa.string()),
        ("options_without_effect", pa.list_(pa.string())),
        ("template_uri", pa.string()),
        ("frames_without_face", pa.int64()),
        ("source_frames_without_face", pa.int64()),
        ("attempts", pa.int32()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("finished_at", pa.timestamp("us", tz="UTC")),
        ("seconds", SECONDS_TYPE),
        ("lp_ray_version", pa.string()),
    ]
)
"""One row per pair.

`cast` is null where one driving moves all faces. Else it is JSON, a list of the faces that have a driving: `face` (from
0), `driving_id`, `driving_uri`, and `subject_id` where the manifest says it. `driving_id` then is the list of ids,
`driving_uri` and `template_uri` are the first driving's, and `driving_version` stands for all of them.
`kind` tells what `video_uri` holds: video, gif, frames or image. `digital_source_type` is what a video's own metadata
say of its making; null where the format cannot say it. `credentials` is the claim of a signed result, as JSON
(`lp_ray.media.credentials.read_claim`); null for one that is not signed. `source_width` and `source_height` are the
source's original size, before `source_max_dim`. `licences` are the terms of the models behind it. `options` is JSON,
without options that have no effect in the pair; `options_without_effect` lists those, with the reasons. `fps` is exact,
and null for a still. `seconds.template` is null if a stored template was used. `score` is a filter's. `traceback_uri`
names the file with the traceback of an unexpected error. `source_licence`, `driving_consent` and so on are what the
manifests said (`lp_ray.contract.rights`). Columns of sidecars (`<name>_uri`), MEASURED columns and `meta_*` columns
follow, where a job asks for them.
"""

MEASURED: tuple[tuple[str, pa.DataType], ...] = (
    ("labels_uri", pa.string()),
    (LABELS_COLUMN, pa.string()),
    (METRICS_COLUMN, pa.string()),
    (ARCFACE_COLUMN, pa.string()),
    (SOURCE_FACE, pa.list_(pa.float32())),
)
"""Columns of pairs with labels or metrics: the file of labels, and which level of each the pair has; which model gave
`identity_arcface`; the embedding (128) of the source's face, where no `subject_id` says who it is. The metrics of
`lp_ray.quality.table` follow, float64."""

DONE, FAILED, FILTERED = "done", "failed", "filtered"


def seconds_type(stages: Iterable[str]) -> pa.StructType:
    """Return the type of the column `seconds` for rows that name these stages, in this order."""
    names = list(dict.fromkeys(stages))
    return pa.struct([(name, pa.float64()) for name in names]) if names else SECONDS_TYPE
