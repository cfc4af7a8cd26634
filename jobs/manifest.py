"""Make a manifest from a folder or a glob: `python -m jobs.manifest --help`."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import DictConfig

from jobs.cli import EXIT_DONE, main
from jobs.setup import required
from lp_ray import storage
from lp_ray.errors import RefusedError
from lp_ray.kinds import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from lp_ray.manifest import check_manifest

MEDIA_SUFFIXES = {
    "source": IMAGE_SUFFIXES | VIDEO_SUFFIXES,
    "driving": IMAGE_SUFFIXES | VIDEO_SUFFIXES | {".pkl"},
}


def run(config: DictConfig) -> int:
    """List the files, name each by its path under what they share, write the manifest."""
    kind = required(config, "kind")
    if kind not in MEDIA_SUFFIXES:
        raise RefusedError(f"kind={kind!r} must be source or driving")
    pattern, output = required(config, "input"), required(config, "output")
    uris = find(pattern, MEDIA_SUFFIXES[kind])
    table = pa.table({"uri": uris, f"{kind}_id": name_rows(uris)})
    check_manifest(table, "source" if kind == "source" else "driving", where=f"input={pattern}")
    sink = io.BytesIO()
    pq.write_table(table, sink)
    storage.put_bytes(storage.normalise(output), sink.getvalue())
    print(f"{len(uris)} {kind}s in {output}")
    return EXIT_DONE


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
