"""Fetch, check and convert weights: `lp-ray weights pull|import|verify|convert key=value…`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.base.limits import Limits
from lp_ray.contract.variants import Variant
from lp_ray.engine.liveportrait.weights.checkpoint import MAX_BYTES
from lp_ray.engine.liveportrait.weights.load import check_variant
from lp_ray.models.artefacts import CODE_REPOSITORY, HUB_REVISION, artefact_of_model, artefacts_of
from lp_ray.models.store import WeightStore
from lp_ray.publish.convert import ImportRules, convert_file, import_weights
from lp_ray.publish.pull import download_official

from .cli import main
from .exit_codes import EXIT_DONE, EXIT_SOME_FAILED
from .setup import plain, required


def pull(config: DictConfig) -> int:
    """Download the official files and import them into the store. Report the files that could not be fetched."""
    store, rules = WeightStore(required(config, "store")), rules_from(config)
    folder = Path(str(config.download)) if config.download else None
    downloaded = download_official(rules.variants, folder, str(config.revision or HUB_REVISION))
    rules = replace(rules, resources=rules.resources or CODE_REPOSITORY)
    import_weights(str(downloaded), store, rules, print)
    verify(config)
    missing = dict.fromkeys(a.source for v in rules.variants for a in artefacts_of(v) if a.name not in store.entries)
    for source in missing:
        print(f"missing: {source} could not be had; all others are in the store", file=sys.stderr)
    return EXIT_SOME_FAILED if missing else EXIT_DONE


def import_(config: DictConfig) -> int:
    """Import files in the official layout into the store. Missing optional files are skipped."""
    import_weights(required(config, "input"), WeightStore(required(config, "store")), rules_from(config), print)
    return verify(config)


def verify(config: DictConfig) -> int:
    """Compare every file in the store with its lock. Raises WeightsError, which names the files that differ."""
    store = WeightStore(required(config, "store"))
    problems = []
    for name, problem in store.verify():
        entry = store.entry(name)
        print(f"{name}: {problem or 'as locked'} ({entry.origin}; {entry.licence})")
        if problem:
            problems.append(f"{name} ({problem})")
    if problems:
        raise WeightsError(f"weight store {store}: {', '.join(problems)}; bring these in again with pull or import")
    return EXIT_DONE


def convert(config: DictConfig) -> int:
    """Convert one published file, without checking its hash."""
    artefact = artefact_of_model(required(config, "model"))
    output = storage.normalise(required(config, "output"))
    with storage.local_copy(required(config, "input"), Limits(max_bytes=MAX_BYTES)) as path:
        storage.put_bytes(output, convert_file(path, artefact, required(config, "input")))
    print(f"{artefact.model} -> {storage.display(output)}")
    return EXIT_DONE


COMMANDS: dict[str, Callable[[DictConfig], int]] = {
    "pull": pull,
    "import": import_,
    "verify": verify,
    "convert": convert,
}


def rules_from(config: DictConfig) -> ImportRules:
    """Return the rules for what may be imported. Raises RefusedError for an unknown variant."""
    names = plain(config.variants)
    variants: list[Variant] = [
        check_variant(str(n), "variants") for n in ([names] if isinstance(names, str) else names)
    ]
    resources = str(config.resources or "")
    return ImportRules(tuple(variants), bool(config.allow_other), bool(config.replace), resources)


def run(config: DictConfig) -> int:
    """Run the command that the first word of the command line names."""
    command = required(config, "command")
    if command not in COMMANDS:
        raise RefusedError(f"{command!r} must be one of {', '.join(COMMANDS)}")
    return COMMANDS[command](config)


def arguments(typed: list[str]) -> list[str]:
    """Turn a leading word into `command=word`, as Hydra takes it."""
    if typed and typed[0].isalpha():
        return [f"command={typed[0]}", *typed[1:]]
    return typed


if __name__ == "__main__":
    main("weights", run, arguments(sys.argv[1:]))
