"""Check the files and folders that a command is given. A bad one is refused at once; the error names the setting."""

from __future__ import annotations

from collections.abc import Callable

from lp_ray import storage
from lp_ray.base.errors import InputError, RefusedError, StorageError
from lp_ray.contract.media_kinds import MEDIA_SUFFIXES, ending_of, is_performance
from lp_ray.contract.result_schema import DONE
from lp_ray.contract.tables import format_of
from lp_ray.output.results import ResultRow, read_results


def folder_to_write(name: str, typed: str) -> str:
    """Return the URI of a folder that files can be written to, whether it exists yet or not. Raises RefusedError."""
    return _checked(name, typed, storage.check_folder)


def file_to_write(name: str, typed: str) -> str:
    """Return the URI of a file that can be written, whether it exists or not. Raises RefusedError."""
    return _checked(name, typed, storage.check_file)


def folder_to_read(name: str, typed: str) -> str:
    """Return the URI of a folder that exists. Raises RefusedError."""
    uri = _checked(name, typed, lambda uri: None)
    if not storage.is_folder(uri):
        what = "is a file, not a folder" if storage.exists(uri) else ""
        raise RefusedError(f"{name}={typed} {what}" if what else f"{name}: {storage.absence(typed)}")
    return uri


def finished_rows(output: str) -> list[ResultRow]:
    """Return the rows of an output's finished pairs. Raises RefusedError if there are none."""
    done = [row for row in read_results(output).to_pylist() if row["status"] == DONE]
    if not done:
        raise RefusedError(f"no finished pairs in {output}: lp-ray animate makes them")
    return done


def _checked(name: str, typed: str, check: Callable[[str], None]) -> str:
    try:
        uri = storage.normalise(typed)
        check(uri)
    except InputError as error:
        raise RefusedError(f"{name}: {error}") from error
    except StorageError as error:
        raise RefusedError(f"{name}={typed}: {error}") from error
    return uri


def check_one(kind: str, typed: str) -> None:
    """Raise RefusedError if a pattern or the name of a manifest is given where one source or driving is expected."""
    _check_pattern(kind, kind, typed)
    if format_of(typed) and not is_performance(typed):
        raise RefusedError(f"{kind}={typed} is called like a manifest: give it as {kind}s={typed}")


def check_many(kind: str, typed: str) -> None:
    """Raise RefusedError if a pattern or the name of a picture or clip is given where a manifest is expected."""
    _check_pattern(kind, f"{kind}s", typed)
    if ending_of(typed) in MEDIA_SUFFIXES:
        raise RefusedError(f"{kind}s={typed} is called like a picture or a clip, not like a manifest: see {kind}=…")


def _check_pattern(kind: str, name: str, typed: str) -> None:
    if "*" not in typed or typed.startswith(("http://", "https://")):  # no web request before the policy check
        return
    uri = _checked(name, typed, lambda uri: None)
    if not storage.exists(uri) and not storage.is_folder(uri):
        raise RefusedError(
            f"{name}={typed} is a pattern: make a manifest of what it matches, lp-ray manifest "
            f"input='{typed}' kind={kind} output={kind}s.parquet, and give that as {kind}s=…"
        )
