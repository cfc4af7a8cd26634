"""Multipart uploads to S3 that were started and never finished: they take space, and no listing shows them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lp_ray.storage.filesystems import filesystem
from lp_ray.storage.guard import guarded, guarded_write
from lp_ray.storage.listing import bucket_and_prefix
from lp_ray.storage.uri import scheme_of


@dataclass(frozen=True)
class Upload:
    """An upload that was started, but neither completed nor aborted. `uri` is where its file would be."""

    uri: str
    upload_id: str


def unfinished_uploads(folder: str, older_than_s: float = 0.0) -> list[Upload]:
    """Return the unfinished uploads anywhere below a normalised folder. Only S3 has them.

    Uploads started within the last `older_than_s` seconds are left out, because a living job may be working on them.
    """
    fs, path = filesystem(folder)
    if not hasattr(fs, "call_s3"):
        return []
    bucket, prefix = bucket_and_prefix(path)
    newest, root = time.time() - older_than_s, f"{scheme_of(folder)}://{bucket}/"
    return [
        Upload(root + entry["Key"], entry["UploadId"])
        for entry in _entries(folder, {"Bucket": bucket, "Prefix": prefix})
        if "Initiated" not in entry or entry["Initiated"].timestamp() <= newest
    ]


def _entries(folder: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    answer: dict[str, Any] = {"IsTruncated": True}
    while answer.get("IsTruncated"):
        answer = _page(folder, request)
        request |= {"KeyMarker": answer.get("NextKeyMarker"), "UploadIdMarker": answer.get("NextUploadIdMarker")}
        yield from answer.get("Uploads", [])


@guarded
def _page(folder: str, request: dict[str, Any]) -> dict[str, Any]:
    fs, _ = filesystem(folder)
    answer: dict[str, Any] = fs.call_s3("list_multipart_uploads", **request)
    return answer


def abort_uploads(uploads: Iterable[Upload]) -> None:
    """Abort uploads, so that the store frees their parts. An upload that has ended meanwhile is no error."""
    for upload in uploads:
        _abort(upload.uri, upload.upload_id)


@guarded_write
def _abort(uri: str, upload_id: str) -> None:
    fs, path = filesystem(uri)
    bucket, _, key = path.partition("/")
    with suppress(FileNotFoundError):
        fs.call_s3("abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload_id)
