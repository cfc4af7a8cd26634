"""Make a manifest from a folder or a glob: `lp-ray manifest --help`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.contract.manifest import check_manifest, read_manifest
from lp_ray.contract.media_kinds import (
    IMAGE_SUFFIXES,
    MEDIA_SUFFIXES,
    NOT_READ,
    VIDEO_SUFFIXES,
    ending_of,
    sounds_beside,
)
from lp_ray.contract.tables import check_writable_name, to_bytes
from lp_ray.output import own

from .cli import main
from .exit_codes import EXIT_DONE
from .places import file_to_write
from .setup import required

SUFFIXES = {"source": IMAGE_SUFFIXES | VIDEO_SUFFIXES, "driving": MEDIA_SUFFIXES}


def run(config: DictConfig) -> int:
    """List the files, name each by its path below their common folder, and write the manifest."""
    kind: Any = required(config, "kind")
    if kind not in ("source", "driving"):
        raise RefusedError(f"kind={kind!r} must be source or driving")
    pattern, output = required(config, "input"), required(config, "output")
    check_writable_name(output)
    there = file_to_write("output", output)
    found = search(pattern)
    uris = choose(found, pattern, kind)
    beside = {sound for uri in uris for sound in sounds_beside(uri)}
    left = left_out(found, {*uris, *beside, there})
    if not uris:
        raise RefusedError(nothing_found(found, pattern, kind, left))
    known = read_rows(output, kind) if config["update"] and storage.exists(there) else None
    table = make_table(uris, kind) if known is None else add_new(known, uris, kind)
    if config.versions or "version" in table.column_names:
        table = with_versions(table)
    check_manifest(table, kind, where=f"input={pattern}")
    if known is None or not table.equals(known):
        storage.put_bytes(there, to_bytes(table, output))
    new = "" if known is None else f", {len(table) - len(known)} of them new"
    print(f"{len(table)} {kind}s in {output}{new}")
    if left:
        print(left)
    return EXIT_DONE


def read_rows(manifest: str, kind: Any) -> pa.Table:
    """Read a manifest, without columns that are empty."""
    table = read_manifest(manifest, kind)
    return table.select([name for name in table.column_names if table[name].null_count < len(table)])


def make_table(uris: list[str], kind: str) -> pa.Table:
    """Return a manifest of the given files."""
    return pa.table({"uri": uris, f"{kind}_id": name_rows(uris)})


def add_new(known: pa.Table, uris: list[str], kind: str) -> pa.Table:
    """Return a manifest with new rows for files that it lacks. Existing rows are not changed.

    Rows of deleted files stay, because their results still refer to them. A new file gets the name that it would have
    in a manifest of all files, or its whole URI if that name is taken.
    """
    had = [storage.normalise(uri) for uri in known["uri"].to_pylist()]
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
    """Return a manifest with each file's version, as the store states it; this costs one listing per folder.

    A job trusts this column and does not ask the store. A file that was deleted keeps its old version.
    """
    uris = [storage.normalise(uri) for uri in table["uri"].to_pylist()]
    tags = pa.array(storage.version_tags(uris), pa.string())
    if "version" not in table.column_names:
        return table.append_column("version", tags)
    before = table["version"].combine_chunks()
    return table.set_column(table.column_names.index("version"), "version", pc.coalesce(tags, before))


def search(pattern: str) -> storage.Found:
    """Find the files that a pattern means, without files that jobs wrote."""
    try:
        found = storage.search(pattern, marker=own.MARK)
    except InputError as error:
        raise RefusedError(f"input={storage.redact(pattern)}: {error}") from error
    return replace(found, files=own.not_own(found))


def choose(found: storage.Found, pattern: str, kind: str) -> list[str]:
    """Return the found files that are media.

    A single file that is named exactly is accepted whatever it is. Templates in a template store are accepted only if
    the pattern ends in `.npz`.
    """
    if found.files == [storage.normalise(pattern)]:
        return found.files
    chosen = [uri for uri in found.files if ending_of(uri) in SUFFIXES[kind]]
    return chosen if pattern.endswith(".npz") else [uri for uri in chosen if not own.is_stored_template(uri)]


def left_out(found: storage.Found, taken: set[str]) -> str:
    """Report, by suffix, which found files were not taken, and which folders are outputs of jobs."""
    counts = Counter(ending_of(uri) for uri in found.files if uri not in taken).most_common()
    lines = [
        f"{count} {ending or 'without an ending'}" + (f" (not read: {NOT_READ[ending]})" if ending in NOT_READ else "")
        for ending, count in counts
    ]
    lines += [f"the output of a job in {storage.shown(folder)}" for folder in found.marked]
    return f"left out: {', '.join(lines)}" if lines else ""


def nothing_found(found: storage.Found, pattern: str, kind: str, left: str) -> str:
    """Report what was searched for without success, and where."""
    if left or storage.is_folder(pattern):
        what = left or "the folder is empty (hidden files do not count)"
        return f"input={pattern}: nothing there for a manifest of {kind}s, such as .jpg or .mp4; {what}"
    if set(pattern) & set("*?["):
        return f"input={pattern}: nothing there that the pattern matches (looked under {storage.shown(found.root)})"
    return f"input: {storage.absence(pattern)}"


def name_rows(uris: list[str]) -> list[str]:
    """Return each file's path below the folder that all files share: unique, and readable in the results."""
    paths = [_readable(uri).split("/") for uri in uris]
    folders = [path[:-1] for path in paths]
    shared = next((depth for depth, names in enumerate(zip(*folders, strict=False)) if len(set(names)) > 1), None)
    depth = min(map(len, folders)) if shared is None else shared
    names = ["/".join(path[depth:]) for path in paths]
    return names if len(set(names)) == len(names) else uris


def _readable(uri: str) -> str:
    """Return a local URI as the path that people see, if it is text; any other URI unchanged."""
    path = storage.local_path(uri)
    return uri if path is None else path if storage.is_text(path) else uri.removeprefix("file://")


if __name__ == "__main__":
    main("manifest", run)
