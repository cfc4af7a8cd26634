"""The contract with users: columns of the results that go out."""

from __future__ import annotations

import pyarrow as pa

FPS_TYPE = pa.struct([("numerator", pa.int64()), ("denominator", pa.int64())])
SECONDS_TYPE = pa.struct([(stage, pa.float64()) for stage in ("template", "source", "animate", "write", "finalize")])

RESULT_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("source_id", pa.string()),
        ("driving_id", pa.string()),
        ("status", pa.string()),
        ("stage", pa.string()),
        ("error_class", pa.string()),
        ("error", pa.string()),
        ("video_uri", pa.string()),
        ("kind", pa.string()),
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
        ("template_uri", pa.string()),
        ("frames_without_face", pa.int64()),
        ("source_frames_without_face", pa.int64()),
        ("attempts", pa.int32()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("finished_at", pa.timestamp("us", tz="UTC")),
        ("seconds", SECONDS_TYPE),
    ]
)
"""One row per pair. `kind` is what `video_uri` holds: video, gif, frames or image; `source_width` and
`source_height` are the source's own size, before `source_max_dim`; `licences` are the terms of the models it was
made with; `options` is JSON; `fps` is exact, and null for
a still; `seconds.template` is null where a stored one was used."""

DONE, FAILED, FILTERED = "done", "failed", "filtered"
