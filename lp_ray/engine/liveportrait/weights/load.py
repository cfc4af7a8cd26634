"""Load the weights that the setting `engine.weights` names."""

from __future__ import annotations

import hashlib
import json
from typing import cast, get_args

import safetensors
import safetensors.torch

from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.contract.variants import Variant
from lp_ray.engine.liveportrait.config import FULL, network_size
from lp_ray.engine.liveportrait.networks import Model, StateDict
from lp_ray.engine.liveportrait.weights.checkpoint import STITCHING_ENTRIES, check_states, split_states
from lp_ray.engine.liveportrait.weights.seeded import RECIPE_VERSION, SALTS, seeded_weights
from lp_ray.engine.liveportrait.weights.weight_set import WeightIdentity, WeightSet
from lp_ray.models.artefacts import Artefact, artefacts_of
from lp_ray.models.cache import cached_file
from lp_ray.models.store import Origin, WeightStore
from lp_ray.storage.uri import local_path

SEEDED = "seeded"
"""Value for random weights that anyone can make again, instead of a store. For tests and benchmarks."""


def identify_weights(place: str, size: str, variant: str) -> WeightIdentity:
    """Identify the weights at a place. Reads at most the lock of a store.

    Raises RefusedError for an unknown size or variant, WeightsError if a store does not exist or lacks files.
    """
    checked = check_variant(variant)
    network_size(size)
    if place == SEEDED:
        recipe = json.dumps([SEEDED, RECIPE_VERSION, SALTS[checked], size])
        return WeightIdentity(f"{SEEDED}:{size}", hashlib.sha256(recipe.encode()).hexdigest(), size, checked)
    store = _store(place, size)
    entries = {artefact.name: store.entry(artefact.name) for artefact in _needed(checked)}
    hashes = json.dumps({name: entry.sha256 for name, entry in sorted(entries.items())})
    origin = max((entry.origin for entry in entries.values()), key=get_args(Origin).index)
    licences = tuple(dict.fromkeys(entry.licence for entry in entries.values()))
    return WeightIdentity(f"{origin}:{variant}", hashlib.sha256(hashes.encode()).hexdigest(), size, checked, licences)


def load_weights(place: str, size: str, variant: str) -> WeightSet:
    """Load the weights of `place`: a weight store's URI, or `seeded`.

    Raises RefusedError for an unknown size or variant, WeightsError if a store does not exist, lacks files, or does not
    match its lock.
    """
    identity = identify_weights(place, size, variant)
    if place == SEEDED:
        return WeightSet(identity, seeded_weights(network_size(size), SALTS[identity.variant]))
    store = _store(place, size)
    states: dict[Model, StateDict] = {}
    for artefact in _needed(identity.variant):
        states |= _load_file(store, artefact)
    return WeightSet(identity, states)


def _load_file(store: WeightStore, artefact: Artefact) -> dict[Model, StateDict]:
    where = f"{store}/{artefact.name}"
    try:
        if local_path(store.uri) is None:  # once for all actors of a machine
            tensors = safetensors.torch.load_file(cached_file(store, artefact.name))
        else:
            tensors = safetensors.torch.load(store.read(artefact.name))
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{where}: not a safetensors file ({error}); import it again") from error
    models = [cast(Model, artefact.model)] if artefact.kind == "network" else list(STITCHING_ENTRIES.values())
    return check_states(split_states(tensors, models), FULL, where)


def _needed(variant: Variant) -> list[Artefact]:
    return [artefact for artefact in artefacts_of(variant) if artefact.required]


def check_variant(name: str, setting: str = "engine.variant") -> Variant:
    """Return the variant of that name. Raises RefusedError, which names the setting."""
    if name not in get_args(Variant):
        raise RefusedError(f"{setting}={name!r} must be one of {', '.join(get_args(Variant))}")
    return cast(Variant, name)


def _store(place: str, size: str) -> WeightStore:
    if not place:
        raise WeightsError(
            "engine=liveportrait needs weights: get them with python -m jobs.weights pull store=FOLDER, then set "
            f"engine.weights=FOLDER (or engine.weights={SEEDED}, random ones, for tests and benchmarks)"
        )
    if size != FULL.name:
        raise RefusedError(f"engine.size={size}: a weight store holds full size only; tiny goes with weights={SEEDED}")
    return WeightStore(place)
