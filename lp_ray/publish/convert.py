"""Convert files in the official layout into a weight store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from lp_ray import storage
from lp_ray.base.errors import InputError, RefusedError, WeightsError
from lp_ray.base.limits import Limits
from lp_ray.contract.variants import Variant
from lp_ray.engine.liveportrait.weights.checkpoint import MAX_BYTES, join_states, read_states
from lp_ray.face.xpose.prompts import import_prompts, prompts_to_npz
from lp_ray.face.xpose.weights import own_tensors, read_checkpoint
from lp_ray.models.artefacts import LICENCES, PINS, Artefact, artefacts_of
from lp_ray.models.store import LockEntry, Origin, WeightStore, file_sha256

Say = Callable[[str], None]


@dataclass(frozen=True)
class ImportRules:
    """Which files may be imported.

    `allow_other` accepts files whose hash is not the published one. `replace` accepts files that differ from the hash
    in the store's lock.
    """

    variants: tuple[Variant, ...] = ("human", "animal")
    allow_other: bool = False
    replace: bool = False
    resources: str = ""
    """Folder or URI with the files of the code's repository, if they are not beside the others."""


@dataclass(frozen=True)
class _Arrived:
    """A source file on the local disk whose hash was accepted."""

    path: Path
    artefact: Artefact
    sha256: str
    size: int
    origin: Origin


def import_weights(place: str, store: WeightStore, rules: ImportRules, say: Say) -> list[str]:
    """Convert the files at `place` (a folder or URI in the official layout) and add them to the store.

    A variant is imported completely or not at all. Returns the names of the imported files. Raises WeightsError, which
    names a file that is missing, not the published one, or not the one in the lock.
    """
    folder = storage.normalise(place)
    wanted = _choose(folder, rules, say)
    for licence in dict.fromkeys(artefact.licence for artefact in wanted):
        say(f"licence: {LICENCES[licence]}")
    with ExitStack() as stack:
        paths = [_local(stack, uri) for uri in wanted.values()]
        arrived = [_vet(path, artefact, store, rules) for path, artefact in zip(paths, wanted, strict=True)]
        store.write(_convert_all(arrived, say))
    return [artefact.name for artefact in wanted]


def _choose(folder: str, rules: ImportRules, say: Say) -> dict[Artefact, str]:
    """Return which files to import and where they are, before any conversion. Optional files may be missing."""
    chosen: dict[Artefact, str] = {}
    for variant in rules.variants:
        artefacts = artefacts_of(variant)
        present = {artefact: place for artefact in artefacts if (place := _find(folder, artefact, rules, say))}
        lacking = [artefact for artefact in artefacts if artefact not in present]
        if needed := [artefact.source for artefact in lacking if artefact.required]:
            raise WeightsError(
                f"{storage.display(folder)} lacks {', '.join(needed)} of the {variant} weights: give the folder that "
                f"holds liveportrait/ in the official layout, or leave {variant} out of variants"
            )
        for artefact in lacking:
            say(f"not there, left out: {artefact.source}")
        chosen |= present
    return chosen


def _find(folder: str, artefact: Artefact, rules: ImportRules, say: Say) -> str:
    """Return where a file is, or "". The code's repository is also searched for around `pretrained_weights`."""
    if artefact.in_hub:
        places = [folder]
    else:
        places = [folder, folder.rpartition("/")[0], *([storage.normalise(rules.resources)] if rules.resources else [])]
    for uri in (storage.join(place, artefact.source) for place in places):
        try:
            if storage.exists(uri):
                return uri
        except RefusedError as error:
            if artefact.in_hub:
                raise
            say(f"cannot look for {storage.display(uri)}: {error}")
    return ""


def _local(stack: ExitStack, uri: str) -> Path:
    try:
        return stack.enter_context(storage.local_copy(uri, Limits(max_bytes=MAX_BYTES)))
    except InputError as error:
        raise WeightsError(f"cannot import: {error}") from error


def _vet(path: Path, artefact: Artefact, store: WeightStore, rules: ImportRules) -> _Arrived:
    """Compare a file with the published hash and with the lock, before anything is written."""
    with path.open("rb") as file:
        digest = file_sha256(file)
    size = path.stat().st_size
    recorded = store.entries.get(artefact.name) if store.exists() else None
    if recorded and recorded.source_sha256 != digest and not rules.replace:
        raise WeightsError(
            f"{artefact.source} has the hash {digest}, but the store's lock has recorded {recorded.source_sha256}: "
            "if the change is meant, add replace=true"
        )
    return _Arrived(path, artefact, digest, size, _origin(artefact.source, digest, size, rules))


def _convert_all(arrived: Sequence[_Arrived], say: Say) -> Iterator[tuple[str, bytes, LockEntry]]:
    for file in arrived:
        artefact = file.artefact
        data = convert_file(file.path, artefact, artefact.source)
        yield (
            artefact.name,
            data,
            LockEntry(
                sha256=hashlib.sha256(data).hexdigest(),
                size=len(data),
                source=artefact.source,
                source_sha256=file.sha256,
                source_size=file.size,
                origin=file.origin,
                licence=LICENCES[artefact.licence],
            ),
        )
        say(f"{artefact.source} -> {artefact.name}")
        if file.origin == "unpinned":
            say(
                f"{artefact.source}: no hash is published, so sha256 {file.sha256} is recorded and compared from now on"
            )


def _origin(source: str, digest: str, size: int, rules: ImportRules) -> Origin:
    pin = PINS.get(source)
    if pin is None:
        return "unpinned"
    if pin.sha256 == digest:
        return "official"
    if rules.allow_other:
        return "other"
    raise WeightsError(
        f"{source} is not the published file: {size} bytes, sha256 {digest}, where {pin.size} bytes, sha256 "
        f"{pin.sha256} belong; download it again, or add allow_other=true if these weights are your own"
    )


def convert_file(path: Path, artefact: Artefact, where: str) -> bytes:
    """Return the stored form of an official file: safetensors with the published keys; ONNX unchanged.

    The three networks of the stitching file become one file, with keys prefixed by model. `where` names the file in
    messages. Raises WeightsError if keys or shapes are not the published ones.
    """
    if artefact.kind == "onnx":
        return path.read_bytes()
    if artefact.kind == "prompts":
        return prompts_to_npz(import_prompts(path.read_bytes(), where))
    if artefact.kind == "xpose":
        tensors, _ = own_tensors(read_checkpoint(path), where)
    else:
        tensors = join_states(read_states(path, artefact.model, where))
    return safetensors.torch.save(tensors)
