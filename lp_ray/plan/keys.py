"""Keys: what makes two pieces of work the same.

A key is 32 hex digits of BLAKE2b over canonical JSON. Everything that changes a result is in its key, so a changed
input, option, engine or weight never finds an old result; nothing else is, so a rerun finds its own.

Of everything that has a default, only what differs from it is hashed: an option, a framing field or a setting that is
added later changes no key that exists. So a default may never change by itself; where one must, EPOCH is raised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from hashlib import blake2b
from typing import Any

from lp_ray.contract.options import PairOptions

EPOCH = 3
"""Raised when keys are made in another way, or a default changes. Every result is made again then."""

OUTPUT_VERSION = 3
"""Raised when the code makes other videos from the same inputs outside the engine (crop, paste-back, encoder)."""

_BYTES = 16


def _digest(kind: str, *facts: object) -> str:
    text = json.dumps([kind, EPOCH, *facts], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def changed(values: Any) -> dict[str, Any]:
    """Return the fields of a dataclass whose value is not the default, nested ones likewise, by name."""
    found = {}
    for field in fields(values):
        value = getattr(values, field.name)
        if value != _default(field):
            found[field.name] = changed(value) if is_dataclass(value) else value
    return found


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def source_key(
    uri: str, version: str, face: str, box: list[float] | None, subject: str, media: str | None = None
) -> str:
    """Key of one source row: which picture, and which face of it; `media` where it is taken against its looks."""
    return _digest("source", uri, version, _given(face=face, box=box, subject=subject, media=media))


def faces_key(source: str, detector_digest: str, max_dim: int, division: int) -> str:
    """Key of the faces that a detector found in a source's picture, limited to a size."""
    return _digest("faces", source, detector_digest, max_dim, division)


def driving_key(uri: str, version: str, face: str, start_s: float | None, end_s: float | None) -> str:
    """Key of one driving row: which clip, which face, which cut."""
    return _digest("driving", uri, version, _given(face=face, start_s=start_s or None, end_s=end_s))


def template_key(
    clip: str, role: str, framing: Any, engine_digest: str, landmarker_digest: str, settings: Mapping[str, object]
) -> str:
    """Key of a clip's motion template; `framing` is a dataclass, `settings` are those that differ from defaults."""
    return _digest("template", clip, role, changed(framing), engine_digest, landmarker_digest, dict(settings))


def work_digest(engine_digest: str, landmarker_digest: str, settings: Mapping[str, object]) -> str:
    """Digest of all that a job's pairs have in common besides inputs and options; `settings` as in `template_key`."""
    return _digest("work", OUTPUT_VERSION, engine_digest, landmarker_digest, dict(settings))


def options_json(options: PairOptions) -> str:
    """Canonical JSON of all options of a pair, as the results carry it."""
    return json.dumps(asdict(options), sort_keys=True)


def options_digest(options: PairOptions) -> str:
    """Digest of a pair's options."""
    return _digest("options", changed(options))


def pair_key(source: str, driving: str, options: str, work: str) -> str:
    """Key of a pair from the keys of its parts (`options` as `options_digest`): its `pair_id`."""
    return blake2b("\n".join((source, driving, options, work)).encode(), digest_size=_BYTES).hexdigest()
