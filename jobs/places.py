"""Places that a command is told to work in: what cannot be is refused at once, with the setting's name."""

from __future__ import annotations

from collections.abc import Callable

from lp_ray import storage
from lp_ray.base.errors import InputError, RefusedError, StorageError


def folder_to_write(name: str, typed: str) -> str:
    """Return the URI of a folder that files can be written to, be it there yet or not. Raises RefusedError."""
    return _checked(name, typed, storage.check_folder)


def file_to_write(name: str, typed: str) -> str:
    """Return the URI of a file that can be written, new or in place of one. Raises RefusedError."""
    return _checked(name, typed, storage.check_file)


def folder_to_read(name: str, typed: str) -> str:
    """Return the URI of a folder that is there. Raises RefusedError."""
    uri = _checked(name, typed, lambda uri: None)
    if not storage.is_folder(uri):
        what = "is a file, not a folder" if storage.exists(uri) else ""
        raise RefusedError(f"{name}={typed} {what}" if what else f"{name}: {storage.absence(typed)}")
    return uri


def _checked(name: str, typed: str, check: Callable[[str], None]) -> str:
    try:
        uri = storage.normalise(typed)
        check(uri)
    except (StorageError, InputError) as error:
        raise RefusedError(f"{name}={storage.redact(typed)}: {error}") from error
    return uri
