"""Remove files. A missing file is no error, and a thousand objects are removed with one request."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

from lp_ray.storage.filesystems import filesystem
from lp_ray.storage.guard import guarded, guarded_write
from lp_ray.storage.listing import PAGE, pages
from lp_ray.storage.uri import TEMPORARY, display, join, local_path


def delete(*uris: str) -> None:
    """Remove files. Missing files are no error."""
    delete_many(uris)


def delete_many(uris: Iterable[str]) -> int:
    """Remove files by normalised URI, all of one store. Return how many were passed in."""
    count, rest = 0, iter(uris)
    while batch := list(islice(rest, PAGE)):
        _delete_batch(batch[0], batch)
        count += len(batch)
    return count


@guarded_write
def _delete_batch(first: str, uris: list[str]) -> None:
    fs, _ = filesystem(first)
    if len(uris) > 1 and hasattr(fs, "call_s3"):
        _delete_objects(fs, uris)
        return
    for uri in uris:
        fs, path = filesystem(uri)
        with suppress(FileNotFoundError):
            fs.rm_file(path)


def _delete_objects(fs: Any, uris: list[str]) -> None:
    # fs.rm would ignore the errors that S3 reports for single objects.
    buckets: dict[str, list[dict[str, str]]] = {}
    for uri in uris:
        bucket, _, key = uri.partition("://")[2].partition("/")
        buckets.setdefault(bucket, []).append({"Key": key})
    for bucket, keys in buckets.items():
        answer = fs.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        for error in answer.get("Errors", []):
            if error.get("Code") != "NoSuchKey":
                raise _RefusedObjectError({"Error": error})


class _RefusedObjectError(Exception):
    """A bulk request could not delete one object. Carries the error code as botocore's errors do."""

    def __init__(self, response: dict[str, dict[str, str]]) -> None:
        self.response = response
        error = response["Error"]
        super().__init__(f"{error.get('Code')}: {error.get('Message')} ({error.get('Key')})")


def delete_prefix(uri: str) -> None:
    """Remove everything under a normalised URI. If there is nothing, that is no error."""
    _check_deep_enough(uri)
    if local_path(uri) is not None:
        _remove_tree(uri)
        return
    for page in pages(uri, deep=True):
        delete_many(info.uri for info in page)


def delete_prefixes(root: str, wanted: Callable[[str], bool]) -> list[str]:
    """Remove the subfolders of `root` whose names are `wanted`, with one listing instead of one call per subfolder.

    Returns the names of the removed subfolders, sorted. `root` is a normalised URI. Files directly under it stay.
    """
    _check_deep_enough(root)
    found: set[str] = set()
    if local_path(root) is not None:
        found = {name for name in _folders(root) if wanted(name)}
        for name in found:
            _remove_tree(join(root, name))
        return sorted(found)
    for page in pages(root, deep=True):
        doomed = [(name, info.uri) for info in page if (name := _folder_of(info.uri, root)) and wanted(name)]
        found |= {name for name, _ in doomed}
        delete_many(uri for _, uri in doomed)
    return sorted(found)


def unfinished_writes(folder: str, older_than_s: float = 0.0) -> list[str]:
    """Return temporary files that dead writers left directly in a normalised folder.

    Only local folders have such files. Those changed within the last `older_than_s` seconds are left out, because a
    living writer may be working on them.
    """
    if local_path(folder) is None:
        return []
    newest = time.time() - older_than_s
    names = (info for page in pages(folder, ".") for info in page if TEMPORARY.fullmatch(info.uri.rpartition("/")[2]))
    return sorted(info.uri for info in names if info.modified is None or info.modified <= newest)


def _folder_of(uri: str, root: str) -> str:
    folder, slash, _ = uri.removeprefix(root.rstrip("/") + "/").partition("/")
    return folder if slash else ""


@guarded
def _folders(root: str) -> list[str]:
    path = local_path(root)
    assert path is not None
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


@guarded_write
def _remove_tree(uri: str) -> None:
    path = local_path(uri)
    assert path is not None
    with suppress(FileNotFoundError, NotADirectoryError):
        shutil.rmtree(path)


def _check_deep_enough(uri: str) -> None:
    if not uri.partition("://")[2].strip("/").partition("/")[2]:
        raise ValueError(f"{display(uri)}: refusing to remove a whole bucket or a folder of the root")
