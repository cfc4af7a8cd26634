"""Find and remove what dead jobs left in an output or a template store: files that are no results."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lp_ray import storage
from lp_ray.base.errors import LeaseHeldError
from lp_ray.output import results
from lp_ray.output.layout import OutputLayout, TemplateLayout
from lp_ray.output.lease import acquire
from lp_ray.storage import FileInfo, Upload

STALE_S = 3600.0
"""Age in seconds after which an unfinished file in a template store counts as abandoned. Several runs write to one
store at the same time; writing a file takes seconds."""
_AT_ONCE = 32


@dataclass(frozen=True)
class Leftover:
    """One thing to remove: a file, a folder with its content, or an unfinished upload, which has no file yet."""

    what: str
    uri: str
    bytes: int = 0
    folder: bool = False
    upload_id: str = ""


def sweep(layout: OutputLayout) -> None:
    """Remove what other runs staged or wrote only in part. The caller must hold the lease.

    If the lease is on one shard, remove only what earlier runs of that shard staged: runs of other shards may be alive.
    """
    own = layout.own_staging.rpartition("/")[2]
    if layout.shard:
        storage.delete_prefixes(layout.staging, lambda run: run.startswith(f"{layout.shard}.") and run != own)
        return
    storage.delete_prefixes(layout.staging, lambda run: run != own)
    storage.delete_many(_begun(layout))
    storage.abort_uploads(_uploads(layout))


def in_output(layout: OutputLayout) -> list[Leftover]:
    """Find all leftovers of an output. The caller must hold the lease, so that none of them belongs to a living job."""
    runs = [run for run in _staged(layout.staging) if run.uri != layout.own_staging]
    begun = [Leftover("begun and not finished", uri) for uri in _begun(layout)]
    begun += _never_ended(_uploads(layout))
    return [*runs, *begun, *_media_without_row(layout)]


def in_store(layout: TemplateLayout) -> tuple[list[Leftover], list[str]]:
    """Find all leftovers of a template store. Return them, and the staging folders of the runs that are still alive.

    A run that shows no sign of life is watched for its lease time; all runs are watched at the same time. This process
    then takes over the lease of a dead run: if that run wakes up again, it stops.
    """
    runs = _staged(layout.staging)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        dead = list(pool.map(_is_dead, runs))
    begun = [
        Leftover("begun and not finished", uri)
        for folder in (layout.root, layout.all_tracks)
        for uri in storage.unfinished_writes(folder, older_than_s=STALE_S)
    ]
    begun += _never_ended(storage.unfinished_uploads(layout.root, STALE_S))
    found = [run for run, gone in zip(runs, dead, strict=True) if gone]
    return [*found, *begun], [run.uri for run, gone in zip(runs, dead, strict=True) if not gone]


def remove(found: list[Leftover]) -> None:
    """Remove leftovers."""
    for leftover in found:
        if leftover.folder:
            storage.delete_prefix(leftover.uri)
    storage.delete_many(leftover.uri for leftover in found if not leftover.folder and not leftover.upload_id)
    storage.abort_uploads(Upload(leftover.uri, leftover.upload_id) for leftover in found if leftover.upload_id)


def _is_dead(run: Leftover) -> bool:
    try:
        acquire(TemplateLayout.lease_of(run.uri)).release()
    except LeaseHeldError:
        return False
    return True


def _staged(root: str) -> list[Leftover]:
    """Return the staging folder of each run that staged something, with its size."""
    bytes_of: dict[str, int] = {}
    for page in storage.pages(root, deep=True):
        for info in page:
            run = info.uri.removeprefix(root + "/").partition("/")[0]
            bytes_of[run] = bytes_of.get(run, 0) + info.size
    return [
        Leftover("staged by a job that died", storage.join(root, run), size, folder=True)
        for run, size in sorted(bytes_of.items())
    ]


def _begun(layout: OutputLayout) -> list[str]:
    folders = (
        layout.videos,
        layout.comparisons,
        layout.labels,
        layout.results,
        layout.all_rows,
        layout.compaction,
        layout.lease,
    )
    return [uri for folder in folders for uri in storage.unfinished_writes(folder)]


def _uploads(layout: OutputLayout) -> list[Upload]:
    """Find unfinished uploads that jobs on this output began. A template store may share the same root."""
    own = tuple(
        f"{folder}/" for folder in (layout.videos, layout.comparisons, layout.labels, layout.results, layout.staging)
    )
    return [upload for upload in storage.unfinished_uploads(layout.root) if upload.uri.startswith(own)]


def _never_ended(uploads: list[Upload]) -> list[Leftover]:
    return [Leftover("an upload that never ended", upload.uri, upload_id=upload.upload_id) for upload in uploads]


def _media_without_row(layout: OutputLayout) -> Iterator[Leftover]:
    """Yield the media files and labels of pairs that have no row. A file's name begins with its pair key; the suffix
    does not matter."""
    done = results.done_pairs(layout)
    for folder in (layout.videos, layout.comparisons, layout.labels):
        for page in storage.pages(folder):
            files = [info for info in page if not info.uri.rpartition("/")[2].startswith(".")]
            known = pc.is_in(pa.array([_key(info) for info in files], pa.string()), done).to_pylist()
            for info, has_row in zip(files, known, strict=True):
                if not has_row:
                    yield Leftover("a result without a row", info.uri, info.size)


def _key(info: FileInfo) -> str:
    return info.uri.rpartition("/")[2].partition(".")[0]
