"""Export motion templates as the reference's .pkl files: `lp-ray export --help`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import LpRayError, RefusedError
from lp_ray.motion.pickle_io import export_pickle
from lp_ray.motion.template import TemplateReader

from .cli import main
from .exit_codes import EXIT_DONE
from .places import file_to_write, folder_to_write
from .setup import required


def run(config: DictConfig) -> int:
    """Write a .pkl file for every template that `input` matches."""
    pattern, output = required(config, "input"), required(config, "output")
    check = file_to_write if output.endswith(".pkl") else folder_to_write
    output = check("output", output)
    uris = find_templates(pattern)
    for uri, target in zip(uris, targets(uris, output), strict=True):
        try:
            storage.put_bytes(target, as_pickle(uri))
        except LpRayError as error:
            raise RefusedError(f"{storage.display(uri)}: {error}") from error
    print(f"{len(uris)} templates in {storage.display(output)}")
    return EXIT_DONE


def find_templates(pattern: str) -> list[str]:
    """Return the templates in a file, a folder or a glob. Raises RefusedError if there is none."""
    found = [uri for uri in storage.glob(pattern) if uri.endswith(".npz")]
    if not found:
        raise RefusedError(f"input={pattern}: no motion templates (.npz) there (lp-ray templates makes them)")
    return sorted(found)


def targets(uris: Iterable[str], output: str) -> list[str]:
    """Return where to write each template: to `output` if that is a .pkl file, else into that folder under its own
    name."""
    names = [PurePosixPath(storage.name_of(uri)).stem for uri in uris]
    if not output.endswith(".pkl"):
        return [storage.join(output, f"{name}.pkl") for name in names]
    if len(names) > 1:
        raise RefusedError(f"output={output}: one file for {len(names)} templates: name a folder")
    return [output]


def as_pickle(uri: str) -> bytes:
    """Return a stored template in the reference's format. Raises TemplateError if that format cannot hold it."""
    with storage.local_copy(uri) as path:
        template = TemplateReader(path)
        try:
            return export_pickle(template.header, template.read())
        finally:
            template.close()


if __name__ == "__main__":
    main("export", run)
