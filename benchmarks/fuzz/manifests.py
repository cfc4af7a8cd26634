"""Manifests: Parquet, CSV, JSON lines, packed or in parts, read, checked and planned with as a job does."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from benchmarks.fuzz.columns import json_lines, strange_parquet, to_parquet
from benchmarks.fuzz.kinds import Case, Samples
from benchmarks.fuzz.mutations import Dice, gzip_bomb, mutate, mutate_text
from benchmarks.fuzz.names import ELSEWHERE, PLAIN, name
from lp_ray import storage
from lp_ray.base import errors
from lp_ray.contract import tables
from lp_ray.contract.manifest import Kind as Which
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.options import PairOptions
from lp_ray.coordinator import job as jobs
from lp_ray.engine.protocol import EngineSpec
from lp_ray.plan.pairing import pair_up, pairs_from_manifest
from lp_ray.plan.settings import Settings
from lp_ray.storage import Policy

_N = 5
_WHICH: tuple[Which, ...] = ("source", "driving", "pair")
_NAMES = {
    "source": ["uri", "source_id", "face", "box", "subject", "media", "version"],
    "driving": ["uri", "driving_id", "face", "start_s", "end_s", "version"],
    "pair": [
        "source_id",
        "driving_id",
        "flag_relative_motion",
        "animation_region",
        "driving_multiplier",
        "crf",
        "audio",
        "format",
    ],
}
_FOLDERS = (
    "part=1",
    "uri=%2e%2e%2f",
    "a=b=c",
    "x=__HIVE_DEFAULT_PARTITION__",
    "_temporary",
    "_delta_log",
    "source_id=é",
    "=",
    "face=%ff",
)


class Manifests:
    """Tables of sources, drivings and pairs."""

    def make_samples(self, folder: Path) -> None:
        for which in _WHICH:
            table = _table(which)
            (folder / f"{which}.parquet").write_bytes(to_parquet(table))
            (folder / f"{which}.csv").write_bytes(tables.to_bytes(table, "x.csv"))
            (folder / f"{which}.jsonl").write_bytes(json_lines(table))

    def make(self, dice: Dice, samples: Samples) -> Case:
        chosen = dice.of(list(samples))
        which, _, ending = chosen.partition(".")
        data, how, sound = samples[chosen], "as it is", dice.chance(0.03)
        if not sound:
            data, how = _broken(which, ending, data, dice, list(samples.values()))
        about, path = {"which": which}, name(dice, f".{ending}" if sound or dice.chance(0.95) else ".csv")
        if not sound and dice.chance(0.1):
            inner = f"{dice.of(_FOLDERS)}/{path}"
            return Case(
                {f"parts/{inner}": data, "parts/part-1." + ending: samples[chosen]},
                "parts",
                f"parts of {chosen}: {how}",
                about=about,
            )
        return Case({path: data}, path, f"{chosen}: {how}", sound, about)

    def read(self, path: Path, case: Case, output: Path) -> None:
        """Read one manifest, and plan a job with it and sound ones of the other kinds."""
        which: Which = case.about["which"]  # type: ignore[assignment] # written by `make`
        read = {kind: _sound(kind) for kind in _WHICH} | {which: read_manifest(str(path), which)}
        place = storage.normalise(str(output))
        settings = Settings(
            place, storage.join(place, "templates"), EngineSpec("liveportrait", weights="seeded", size="tiny")
        )
        if which == "pair":
            ids = (read["source"]["source_id"], read["driving"]["driving_id"])
            pairs, pair_table = pairs_from_manifest(read["pair"], *ids, PairOptions()), read["pair"]
        else:
            n = min(len(read["source"]), 300), min(len(read["driving"]), 300)
            read = {kind: table.slice(0, 300) for kind, table in read.items()}
            pairs, pair_table = pair_up("cross", *n, PairOptions()), None
        plan = jobs.prepare(settings, read["source"], read["driving"], pair_table, pairs, Policy()).plan
        for failure in (*plan.sources.failures.values(), *plan.drivings.failures.values()):
            if not issubclass(getattr(errors, failure.error_class, Exception), errors.LpRayError):
                raise AssertionError(f"a row fails with {failure.error_class}: {failure.error}\n{failure.traceback}")


def _table(which: Which) -> pa.Table:
    """Return a sound table. A version keeps the plan from looking for files that are not there."""
    ids = [f"{which}-{i}" for i in range(_N)]
    if which == "pair":
        some = {"source_id": [f"source-{i}" for i in range(_N)], "driving_id": [f"driving-{i}" for i in range(_N)]}
        return pa.table({**some, "animation_region": ["all", "exp", "pose", "lip", "eyes"]})
    ending = ".jpg" if which == "source" else ".mp4"
    common = {"uri": [f"/no/place/{i}{ending}" for i in range(_N)], f"{which}_id": ids, "version": ["1"] * _N}
    return pa.table(
        {**common, "face": ["0", "large-small", None, None, None], f"meta_{which}": ["é", "", None, "x", "中"]}
    )


def _sound(which: Which) -> pa.Table:
    from lp_ray.contract.manifest import check_manifest

    return check_manifest(_table(which), which, which)


def _broken(which: str, ending: str, data: bytes, dice: Dice, others: list[bytes]) -> tuple[bytes, str]:
    names = _NAMES[which]
    table = _table(which)  # type: ignore[arg-type] # the first part of a sample's name
    if dice.chance(0.15):
        return _elsewhere(table, ending, dice)
    if ending == "parquet":
        return mutate(data, dice, others) if dice.chance(0.45) else strange_parquet(table, names, dice)
    how = dice.of(("bytes", "text", "text", "text", "gzip", "names"))
    if how == "bytes":
        return mutate(data, dice, others)
    if how == "gzip":
        fill = dice.of((b"\n", b"x", b"[", b",", b'{"uri":"x"}\n'))
        most = (1 << 20, 64 << 20) if fill.startswith(b"{") else (1 << 20, 64 << 20, 1100 << 20)
        return gzip_bomb(data, dice.of(most) if dice.chance(0.3) else 1 << 20, fill), how
    if how == "names":
        given = data.replace(
            dice.of(table.column_names).encode(), dice.of((*names, "", "meta_", "meta_\0", "\u202e")).encode()
        )
        return given, how
    return mutate_text(data, dice, others)


def _elsewhere(table: pa.Table, ending: str, dice: Dice) -> tuple[bytes, str]:
    """Name places that no job should reach, files of every script, ids of every kind."""
    column = dice.of([name for name in table.column_names if name.endswith(("_id", "uri"))])
    values = [dice.of((*ELSEWHERE, *PLAIN)).replace("\0", "\0" if ending != "csv" else "") for _ in range(_N)]
    table = table.set_column(table.schema.get_field_index(column), column, pa.array(values))
    if "version" in table.column_names and not any(
        value.startswith(("s3:", "github", "sftp", "git:", "dask")) for value in values
    ):
        table = table.drop_columns(["version"])
    data = json_lines(table) if ending == "jsonl" else tables.to_bytes(table, f"x.{ending}")
    return data, f"{column} elsewhere"
