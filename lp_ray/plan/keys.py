"""Keys: what makes two pieces of work the same.

A key is 32 hex digits of BLAKE2b over canonical JSON. Everything that changes a result is in its key, so a
changed input, option, engine or weight never finds an old result; nothing else is, so a rerun finds its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b

from lp_ray.contract.options import PairOptions

OUTPUT_VERSION = 2
"""Raised when the code makes other videos from the same inputs outside the engine (crop, paste-back, encoder)."""

_BYTES = 16


def _digest(kind: str, fields: object) -> str:
    text = json.dumps([kind, fields], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def source_key(uri: str, version: str, face: str, box: list[float] | None, subject: str) -> str:
    """Key of one source row: which picture, and which face of it."""
    return _digest("source", [uri, version, face, box, subject])


def faces_key(source: str, xpose_digest: str, max_dim: int, division: int) -> str:
    """Key of the animals' faces that were found in a source's picture, limited to a size."""
    return _digest("faces", [source, xpose_digest, max_dim, division])


def driving_key(uri: str, version: str, face: str, start_s: float | None, end_s: float | None) -> str:
    """Key of one driving row: which clip, which face, which cut."""
    return _digest("driving", [uri, version, face, start_s, end_s])


def template_key(driving: str, engine_digest: str, landmarker_digest: str, settings: Mapping[str, object]) -> str:
    """Key of the motion template of a driving; `settings` are those that change the tracking or the crop."""
    return _digest("template", [driving, engine_digest, landmarker_digest, dict(settings)])


def work_digest(engine_digest: str, landmarker_digest: str, settings: Mapping[str, object]) -> str:
    """Digest of all that a job's pairs have in common besides their inputs and options."""
    return _digest("work", [OUTPUT_VERSION, engine_digest, landmarker_digest, dict(settings)])


def options_json(options: PairOptions) -> str:
    """Canonical JSON of a pair's options, as the results carry it."""
    return json.dumps(asdict(options), sort_keys=True)


def pair_key(source: str, driving: str, options: str, work: str) -> str:
    """Key of a pair from the keys of its parts (`options` as `options_json`): its `pair_id`."""
    return blake2b("\n".join((source, driving, options, work)).encode(), digest_size=_BYTES).hexdigest()
