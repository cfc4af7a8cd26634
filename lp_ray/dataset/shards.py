"""The containers: each writes one shard of samples into a folder of this machine, the same bytes every time."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest
from lp_ray.dataset.facts import as_json, published
from lp_ray.dataset.labels import COLUMN, as_npz
from lp_ray.dataset.samples import Sample

FOLDER_FILES = 1000
"""Videos of a folder: the hub takes 10,000 files in one."""
_GROUP_BYTES = 64 << 20
"""Videos of one row group: what a shard holds in memory."""


class Container(Protocol):
    """One format of shards."""

    most_samples: int
    """Samples of a shard."""

    def name(self, side: str, number: int) -> str:
        """Return what a shard is called, relative to the data set."""

    def write(self, folder: Path, name: str, rows: pa.Table, found: Iterable[Sample]) -> Iterator[str]:
        """Write a shard's files under a folder and yield their names, relative to it, each once it is whole.

        `rows` are the rows of the results behind the samples.
        """


class WebDataset:
    """Implements `Container`: tar files; a sample is the files of one name: `.mp4`, `.json`, and `.npz` with labels."""

    most_samples = 100_000

    def name(self, side: str, number: int) -> str:
        return f"{side}-{number:06d}.tar"

    def write(self, folder: Path, name: str, rows: pa.Table, found: Iterable[Sample]) -> Iterator[str]:
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as tar:
            for sample in found:
                with sample.video() as path, path.open("rb") as file:
                    tar.addfile(_header(f"{sample.key}.mp4", path.stat().st_size), file)
                _add(tar, f"{sample.key}.json", as_json(sample.facts))
                labels = sample.labels()
                if labels is not None:
                    _add(tar, f"{sample.key}.npz", as_npz(labels))
        yield name


def _header(name: str, size: int) -> tarfile.TarInfo:
    """Return a header that says nothing of when, where and by whom it was written."""
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, 0, 0o644
    return header


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_header(name, len(data)), io.BytesIO(data))


class VideoFolder:
    """Implements `Container`: folders of videos. Their metadata is written at the end, one table for each side."""

    most_samples = FOLDER_FILES

    def name(self, side: str, number: int) -> str:
        return f"{side}/{number:05d}"

    def write(self, folder: Path, name: str, rows: pa.Table, found: Iterable[Sample]) -> Iterator[str]:
        (folder / name).mkdir(parents=True)
        for sample in found:
            video = f"{name}/{sample.key}.mp4"
            with sample.video() as path:
                shutil.copyfile(path, folder / video)
            yield video


class ParquetShards:
    """Implements `Container`: tables of facts with the videos in them (`video.bytes`), or where these are
    (`video_uri`)."""

    most_samples = 100_000

    def __init__(self, videos: str) -> None:
        self._embedded = videos == "bytes"

    def name(self, side: str, number: int) -> str:
        return f"data/{side}-{number:05d}.parquet"

    def write(self, folder: Path, name: str, rows: pa.Table, found: Iterable[Sample]) -> Iterator[str]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        known = published(rows)
        if not self._embedded:
            places = [column for column in ("video_uri", COLUMN) if column in rows.column_names]
            for column in places:
                known = known.append_column(column, rows[column])
            pq.write_table(known, folder / name, compression="zstd")
        else:
            media = _MEDIA if COLUMN in rows.column_names else _MEDIA.remove(1)
            with pq.ParquetWriter(folder / name, pa.schema([*known.schema, *media]), compression="zstd") as writer:
                for first, group in _groups(found):
                    columns = [*known.slice(first, group.num_rows).columns, *group.select(media.names).columns]
                    writer.write_table(pa.table(columns, names=[*known.column_names, *media.names]))
        yield name


def _groups(found: Iterable[Sample]) -> Iterator[tuple[int, pa.Table]]:
    """Yield the media of samples in groups of a bounded size, each with the place of its first sample."""
    pending: list[dict[str, Any]] = []
    first = held = 0
    for sample in found:
        with sample.video() as path:
            video = {"bytes": path.read_bytes(), "path": f"{sample.key}.mp4"}
        labels = sample.labels()
        pending.append({"video": video, "labels_npz": None if labels is None else as_npz(labels)})
        held += len(video["bytes"])
        if held >= _GROUP_BYTES:
            yield first, pa.Table.from_pylist(pending, _MEDIA)
            first, held, pending = first + len(pending), 0, []
    if pending:
        yield first, pa.Table.from_pylist(pending, _MEDIA)


_MEDIA = pa.schema([("video", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("labels_npz", pa.binary())])
"""`video` is as Hugging Face's `Video` feature stores one."""

FORMATS = ("webdataset", "videofolder", "parquet")


def container(name: str, videos: str) -> Container:
    """Return the container of a format. Raises RefusedError if there is none."""
    if name not in FORMATS:
        raise RefusedError(f"format={name!r} must be one of {', '.join(FORMATS)}{nearest(name, FORMATS)}")
    if videos not in ("bytes", "uri"):
        raise RefusedError(f"videos={videos!r} must be bytes or uri")
    if videos == "uri" and name != "parquet":
        raise RefusedError(f"videos=uri is for format=parquet: format={name} holds the videos themselves")
    if name == "parquet":
        return ParquetShards(videos)
    return WebDataset() if name == "webdataset" else VideoFolder()
