"""Make a manifest from a folder or a glob: `python -m jobs.manifest --help`."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from omegaconf import DictConfig

from jobs.cli import EXIT_DONE, main
from jobs.setup import required
from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import check_manifest, read_manifest
from lp_ray.contract.media_kinds import IMAGE_SUFFIXES, VIDEO_SUFFIXES

MEDIA_SUFFIXES = {
    "source": IMAGE_SUFFIXES | VIDEO_SUFFIXES,
    "driving": IMAGE_SUFFIXES | VIDEO_SUFFIXES | {".pkl"},
}


def run(config: DictConfig) -> int:
    """List the files, name each by its path under what they share, write the manifest."""
    kind: Any = required(config, "kind")
    if kind not in ("source", "driving"):
        raise RefusedError(f"kind={kind!r} must be source or driving")
    pattern, output = required(config, "input"), required(config, "output")
    uris = find(pattern, MEDIA_SUFFIXES[kind])
    there = storage.normalise(output)
    known = read_rows(output, kind) if config["update"] and storage.exists(there) else None
    table = make_table(uris, kind) if known is None else add_new(known, uris, kind)
    if config.versions or "version" in table.column_names:
        table = with_versions(table)
    check_manifest(table, kind, where=f"input={pattern}")
    if known is None or not table.equals(known):
        sink = io.BytesIO()
        pq.write_table(table, sink)
        storage.put_bytes(there, sink.getvalue())
    new = "" if known is None else f", {len(table) - len(known)} of them new"
    print(f"{len(table)} {kind}s in {output}{new}")
    return EXIT_DONE


def read_rows(manifest: str, kind: Any) -> pa.Table:
    """Read a manifest, without the columns in which it says nothing."""
    table = read_manifest(manifest, kind)
    return table.select([name for name in table.column_names if table[name].null_count < len(table)])


def make_table(uris: list[str], kind: str) -> pa.Table:
    """Return the manifest of some files."""
    return pa.table({"uri": uris, f"{kind}_id": name_rows(uris)})


def add_new(known: pa.Table, uris: list[str], kind: str) -> pa.Table:
    """Return a manifest with rows for the files that it lacks; the rows that it has stay as they are.

    Rows of files that are gone stay, too: what was made of them is still theirs. A new file is named as in a manifest
    of all files, or by its whole URI where that name is taken.
    """
    had = known["uri"].to_pylist()
    everything = [*had, *sorted(set(uris) - set(had))]
    taken = set(known[f"{kind}_id"].to_pylist())
    named = [*zip(everything, name_rows(everything), strict=True)][len(had) :]
    new = pa.table(
        {
            "uri": pa.array([uri for uri, _ in named], pa.string()),
            f"{kind}_id": pa.array([uri if name in taken else name for uri, name in named], pa.string()),
        }
    )
    return pa.concat_tables([known, new], promote_options="default")


def with_versions(table: pa.Table) -> pa.Table:
    """Return a manifest with what the store says of each file's version: one listing per folder.

    A job takes the column's word for it, and asks the store nothing. A file that is gone keeps the version it had.
    """
    tags = pa.array(storage.version_tags(table["uri"].to_pylist()), pa.string())
    if "version" not in table.column_names:
        return table.append_column("version", tags)
    before = table["version"].combine_chunks()
    return table.set_column(table.column_names.index("version"), "version", pc.coalesce(tags, before))


def find(pattern: str, suffixes: frozenset[str]) -> list[str]:
    """Return the files that a glob matches, or the media files under a folder. Raises RefusedError for none."""
    chosen = storage.glob(pattern)
    if storage.is_folder(pattern):
        chosen = [uri for uri in chosen if PurePosixPath(uri).suffix.lower() in suffixes]
    if not chosen:
        raise RefusedError(f"input={pattern}: nothing there (a folder is searched for {', '.join(sorted(suffixes))})")
    return sorted(chosen)


def name_rows(uris: list[str]) -> list[str]:
    """Return each file's path under the folder that all of them share: unique, and readable in the results."""
    folders = [uri.split("/")[:-1] for uri in uris]
    shared = next((depth for depth, names in enumerate(zip(*folders, strict=False)) if len(set(names)) > 1), None)
    depth = min(map(len, folders)) if shared is None else shared
    return ["/".join(uri.split("/")[depth:]) for uri in uris]


if __name__ == "__main__":
    main("manifest", run)
