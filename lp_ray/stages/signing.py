"""Sign the finished file of a pair, as the job's settings say."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from lp_ray import storage
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.contract.origin import SCHEME, digital_source_type
from lp_ray.contract.provenance import TYPES, Provenance
from lp_ray.media.credentials import Signer, sign
from lp_ray.media.facts import MediaFacts, content_facts
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork

MAX_BYTES = 1 << 20


def signed(
    settings: Settings, work: PairWork, path: Path, facts: MediaFacts
) -> tuple[MediaFacts, dict[str, str] | None]:
    """Sign a pair's file in place. Return its facts as it is then, and its claim; None if the job signs nothing."""
    if not settings.provenance:
        return facts, None
    origin = SCHEME + digital_source_type(settings.engine.name, work.options.paste_back)
    claim = sign(path, TYPES[work.format], origin, signer_of(settings.provenance))
    n_bytes, sha256 = content_facts(path)
    return replace(facts, bytes=n_bytes, sha256=sha256), claim


@lru_cache(4)
def signer_of(provenance: Provenance) -> Signer:
    """Read the certificate chain and the key. Raises RefusedError if either cannot be read."""
    read = {}
    for name in ("certificate", "key"):
        uri = storage.normalise(getattr(provenance, name))
        try:
            read[name] = storage.read_bytes(uri, MAX_BYTES)
        except FileNotFoundError as error:
            raise RefusedError(f"provenance_{name}: {storage.absence(uri)}") from error
        except (OSError, InputError) as error:
            raise RefusedError(f"provenance_{name}: {storage.shown(uri)} cannot be read: {error}") from error
    return Signer(read["certificate"], read["key"], provenance.algorithm)
