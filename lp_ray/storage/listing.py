"""List files page by page, so that a folder of a million files costs a thousand requests and little memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from lp_ray.storage.filesystems import filesystem
from lp_ray.storage.guard import check_bucket, guarded
from lp_ray.storage.uri import local_path, of_absolute, scheme_of

PAGE = 1000
"""Files in one page: the maximum of S3."""

_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "created")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file of a listing.

    `uri` is normalised, `size` is in bytes. `tag` is the store's mark of the content (etag, or time of the last
    change). `modified` is in seconds since the epoch; None if the store does not tell.
    """

    uri: str
    size: int
    tag: str
    modified: float | None


def pages(folder: str, starting: str = "", deep: bool = False) -> Iterator[list[FileInfo]]:
    """Yield the files under a normalised folder or prefix, one page at a time, in no particular order.

    Yields only files whose name, relative to the folder, starts with `starting`; also those in subfolders if `deep`. A
    folder that does not exist has no files. Every page is a separate request, with its own retries.
    """
    fs, path = filesystem(folder)
    if local_path(folder) is not None:
        entries = _scan(path, deep, starting)
        while page := _local_page(folder, entries):
            yield page
    elif hasattr(fs, "call_s3"):
        yield from _s3_pages(fs, folder, path, starting, deep)
    else:
        whole = iter(_whole(folder, starting, deep))
        while page := list(islice(whole, PAGE)):
            yield page


def list_files(folder: str, deep: bool = False) -> list[FileInfo]:
    """Return all files directly under a normalised folder (or anywhere under it if `deep`), in no particular order."""
    return [info for page in pages(folder, deep=deep) for info in page]


@guarded
def _local_page(folder: str, entries: Iterator[FileInfo]) -> list[FileInfo]:
    return list(islice(entries, PAGE))


def _scan(path: str, deep: bool, starting: str) -> Iterator[FileInfo]:
    """Walk a local folder. Files that vanish meanwhile are left out; links to files are followed, links to folders are
    not."""
    folders = [path]
    root = path.rstrip("/") + "/"
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if deep and entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.path.startswith(root + starting) and (info := _local_info(entry)):
                        yield info
        except (FileNotFoundError, NotADirectoryError):
            continue


def _local_info(entry: os.DirEntry[str]) -> FileInfo | None:
    try:
        if not entry.is_file():
            return None
        status = entry.stat()
    except FileNotFoundError:
        return None
    return FileInfo(of_absolute(entry.path), status.st_size, str(status.st_mtime_ns), status.st_mtime)


def bucket_and_prefix(path: str) -> tuple[str, str]:
    """Split an S3 folder into its bucket and the prefix of the keys below it, which is empty for a whole bucket."""
    bucket, _, key = path.partition("/")
    return bucket, key.rstrip("/") + "/" if key.strip("/") else ""


def _s3_pages(fs: Any, folder: str, path: str, starting: str, deep: bool) -> Iterator[list[FileInfo]]:
    # fs.ls and fs.find would first load the whole listing into memory, a kilobyte per object.
    bucket, prefix = bucket_and_prefix(path)
    request = {"Bucket": bucket, "Prefix": prefix + starting, "MaxKeys": PAGE}
    if not deep:
        request["Delimiter"] = "/"
    answer: dict[str, Any] = {"IsTruncated": True}
    while answer["IsTruncated"]:
        answer = _s3_page(folder, fs, request)
        request["ContinuationToken"] = answer.get("NextContinuationToken", "")
        yield [
            FileInfo(
                f"{scheme_of(folder)}://{bucket}/{entry['Key']}",
                int(entry["Size"]),
                str(entry.get("ETag", "")).strip('"'),
                entry["LastModified"].timestamp() if "LastModified" in entry else None,
            )
            for entry in answer.get("Contents", [])
            if not entry["Key"].endswith("/")  # some stores keep folders as objects
        ]


@guarded
def _s3_page(folder: str, fs: Any, request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = fs.call_s3("list_objects_v2", **request)
    return answer


@guarded
def _whole(folder: str, starting: str, deep: bool) -> list[FileInfo]:
    """List a store whose client has no paged listing."""
    fs, path = filesystem(folder)
    try:
        entries = list(fs.find(path, detail=True).values()) if deep else fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        check_bucket(error, folder)
        return []
    scheme = scheme_of(folder)
    found = [_info(f"{scheme}://{e['name'].lstrip('/')}", e) for e in entries if e["type"] == "file"]
    root = f"{scheme}://{path.strip('/')}/"
    return [info for info in found if info.uri.startswith(root + starting)]


@guarded
def file_info(uri: str) -> FileInfo | None:
    """Return the facts of one file; None if it does not exist."""
    fs, path = filesystem(uri)
    try:
        details = fs.info(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        check_bucket(error, uri)
        return None
    return _info(uri, details) if details["type"] == "file" else None


def _info(uri: str, details: dict[str, Any]) -> FileInfo:
    tag = next((str(details[name]) for name in _TAGS if details.get(name)), "")
    time = next((details[name] for name in _TIMES if details.get(name)), None)
    modified = (
        time.timestamp() if isinstance(time, datetime) else float(time) if isinstance(time, int | float) else None
    )
    return FileInfo(uri, int(details["size"] or 0), tag.strip('"'), modified)
