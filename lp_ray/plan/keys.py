"""Keys: two pieces of work with the same key are the same work.

A key is 32 hex digits: BLAKE2b over canonical JSON. Everything that changes a result enters its key, so after a change
of an input, option, engine or weight no old result is found. Nothing else enters the key, so a rerun finds its results.

A value that has a default is hashed only if it differs from the default. So a new option, framing field or setting does
not change existing keys. But a default must not change on its own: if one has to change, raise EPOCH.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from hashlib import blake2b
from typing import Any

from lp_ray.contract.options import PairOptions

EPOCH = 3
"""Raise this when keys are made in another way or a default changes. All results are then made again."""

OUTPUT_VERSION = 3
"""Raise this when code outside the engine (crop, paste-back, encoder) makes other videos from the same inputs."""

_BYTES = 16


def _digest(kind: str, *facts: object) -> str:
    text = json.dumps([kind, EPOCH, *facts], sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def changed(values: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults, by name; nested dataclasses likewise."""
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
    """Return the key of a source row: which file and which face. `media` only if it contradicts what the file looks
    like."""
    return _digest("source", uri, version, _given(face=face, box=box, subject=subject, media=media))


def faces_key(source: str, detector_digest: str, max_dim: int, division: int) -> str:
    """Return the key of the faces that a detector found in a source picture of a limited size."""
    return _digest("faces", source, detector_digest, max_dim, division)


def tracks_key(driving: str, landmarker_digest: str, version: int) -> str:
    """Return the key of what metrics need of a driving: its tracks, measured by a version of the code."""
    return _digest("tracks", driving, landmarker_digest, version)


def driving_key(
    uri: str,
    version: str,
    face: str,
    start_s: float | None,
    end_s: float | None,
    sound: str | None = None,
    sound_version: str | None = None,
    curves: int | None = None,
) -> str:
    """Return the key of a driving row: which clip, which face, which cut, and which sound lies beside it, if any.

    `curves` is the version of what makes values of a performance's keys; the first was in no key.
    """
    beside = [sound, sound_version] if sound else None
    given = _given(
        face=face, start_s=start_s or None, end_s=end_s, sound=beside, curves=None if curves == 1 else curves
    )
    return _digest("driving", uri, version, given)


def cast_key(drivings: list[str | None]) -> str:
    """Return the key of a cast: the driving key of each face, None for one that stays as it is."""
    return _digest("cast", drivings)


def template_key(
    clip: str, role: str, framing: Any, engine_digest: str, landmarker_digest: str, settings: Mapping[str, object]
) -> str:
    """Return the key of a motion template. `framing` is a dataclass; `settings` holds the settings that differ from
    defaults."""
    return _digest("template", clip, role, changed(framing), engine_digest, landmarker_digest, dict(settings))


def work_digest(engine_digest: str, landmarker_digest: str, settings: Mapping[str, object]) -> str:
    """Return a digest of all that a job's pairs have in common besides inputs and options. `settings` as in
    `template_key`."""
    return _digest("work", OUTPUT_VERSION, engine_digest, landmarker_digest, dict(settings))


def options_json(options: PairOptions) -> str:
    """Return the canonical JSON of all options of a pair, as the results table holds it."""
    return json.dumps(asdict(options), sort_keys=True)


def options_digest(options: PairOptions) -> str:
    """Return the digest of a pair's options."""
    return _digest("options", changed(options))


def pair_key(source: str, driving: str, options: str, work: str) -> str:
    """Return the key of a pair, its `pair_id`, from the keys of its parts (`options` is an `options_digest`)."""
    return blake2b("\n".join((source, driving, options, work)).encode(), digest_size=_BYTES).hexdigest()
