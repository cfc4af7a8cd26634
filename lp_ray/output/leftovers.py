"""What jobs that died have left in an output or in a template store: none of it is a result, it only takes up room."""

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
"""Many write to a template store at once: a file begun there is given up after so long. Writing one takes seconds."""
_AT_ONCE = 32


@dataclass(frozen=True)
class Leftover:
    """One thing to be removed: a file, a folder with all that is in it, or an upload, whose file is not there yet."""

    what: str
    uri: str
    bytes: int = 0
    folder: bool = False
    upload_id: str = ""


def sweep(layout: OutputLayout) -> None:
    """Remove what other runs have staged or begun to write; the caller holds the lease.

    With the lease of a shard only what earlier runs of that shard have staged: others may be alive.
    """
    own = layout.own_staging.rpartition("/")[2]
    if layout.shard:
        storage.delete_prefixes(layout.staging, lambda run: run.startswith(f"{layout.shard}.") and run != own)
        return
    storage.delete_prefixes(layout.staging, lambda run: run != own)
    storage.delete_many(_begun(layout))
    storage.abort_uploads(_uploads(layout))


def in_output(layout: OutputLayout) -> list[Leftover]:
    """Find all that is left in an output; the caller holds the lease, so that none of it is a living job's."""
    runs = [run for run in _staged(layout.staging) if run.uri != layout.own_staging]
    begun = [Leftover("begun and not finished", uri) for uri in _begun(layout)]
    begun += _never_ended(_uploads(layout))
    return [*runs, *begun, *_media_without_row(layout)]


def in_store(layout: TemplateLayout) -> tuple[list[Leftover], list[str]]:
    """Find all that is left in a template store, and the runs which are alive there, whose pieces are not.

    A run that gives no sign of life is watched for its lease time, all of them at once. It is replaced as the
    holder of its lease: should it rise again, it stops.
    """
    runs = _staged(layout.staging)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        dead = list(pool.map(_is_dead, runs))
    begun = [
        Leftover("begun and not finished", uri) for uri in storage.unfinished_writes(layout.root, older_than_s=STALE_S)
    ]
    begun += _never_ended(storage.unfinished_uploads(layout.root, STALE_S))
    found = [run for run, gone in zip(runs, dead, strict=True) if gone]
    return [*found, *begun], [run.uri for run, gone in zip(runs, dead, strict=True) if not gone]


def remove(found: list[Leftover]) -> None:
    """Remove what was found."""
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
    """Return the runs that have staged something, with its bytes."""
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
    folders = (layout.videos, layout.comparisons, layout.results, layout.all_rows, layout.compaction, layout.lease)
    return [uri for folder in folders for uri in storage.unfinished_writes(folder)]


def _uploads(layout: OutputLayout) -> list[Upload]:
    """Find the uploads to what only this output's own jobs write to; a template store may lie in the same place."""
    own = tuple(f"{folder}/" for folder in (layout.videos, layout.comparisons, layout.results, layout.staging))
    return [upload for upload in storage.unfinished_uploads(layout.root) if upload.uri.startswith(own)]


def _never_ended(uploads: list[Upload]) -> list[Leftover]:
    return [Leftover("an upload that never ended", upload.uri, upload_id=upload.upload_id) for upload in uploads]


def _media_without_row(layout: OutputLayout) -> Iterator[Leftover]:
    """Yield what was put for pairs whose row never came: it is known by its key, whatever its name ends in."""
    done = results.done_pairs(layout)
    for folder in (layout.videos, layout.comparisons):
        for page in storage.pages(folder):
            files = [info for info in page if not info.uri.rpartition("/")[2].startswith(".")]
            known = pc.is_in(pa.array([_key(info) for info in files], pa.string()), done).to_pylist()
            for info, has_row in zip(files, known, strict=True):
                if not has_row:
                    yield Leftover("a result without a row", info.uri, info.size)


def _key(info: FileInfo) -> str:
    return info.uri.rpartition("/")[2].partition(".")[0]
