"""The croissant.json of a data set: its files and columns for machines, with the vocabulary of responsible AI.

Croissant 1.1 (http://mlcommons.org/croissant/1.1), RAI 1.0 (http://mlcommons.org/croissant/RAI/1.0).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lp_ray.dataset.card import LIMITS, About
from lp_ray.dataset.plan import Plan
from lp_ray.dataset.statistics import Statistics
from lp_ray.dataset.tables import columns_of
from lp_ray.dataset.target import File, Finished

NAME = "croissant.json"
_TERMS = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileObject"),
    *("fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
    *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator"),
    *("source", "subField", "transform"),
)
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS},
}
"""The context of Croissant 1.1, as its specification writes it."""
_FORMATS = {"tar": "application/x-tar", "parquet": "application/x-parquet"}


def croissant(plan: Plan, found: Statistics, about: About, shards: Sequence[Finished], tables: Sequence[File]) -> bytes:
    """Return the description as JSON-LD. `tables` are those of the sides, in the split's order.

    Videos of a VideoFolder are described as one set; every other file has its size and hash.
    """
    sides = plan.request.sides.names
    described: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": about.name,
        "description": f"{found.samples} synthetic talking heads, made with lp_ray. README.md says more.",
        "license": about.licence or "not stated",
        "version": "1.0.0",
        **_responsible(plan, found, about),
        "distribution": [*(_file(file) for file in tables), *_videos(plan, shards)],
        "recordSet": [_records(plan, side, file) for side, file in zip(sides, tables, strict=True)],
    }
    return json.dumps(described, indent=1, ensure_ascii=False).encode()


def _file(file: File) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _FORMATS[file.name.rpartition(".")[2]],
        "sha256": file.sha256,
    }


def _videos(plan: Plan, shards: Sequence[Finished]) -> list[dict[str, Any]]:
    if plan.request.format != "videofolder":
        return [_file(file) for shard in shards for file in shard.files]
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"videos-{side}",
            "name": f"videos-{side}",
            "description": f"The videos of {side}; file_name in its table is relative to {side}/.",
            "encodingFormat": "video/mp4",
            "includes": f"{side}/*/*.mp4",
        }
        for side in plan.request.sides.names
    ]


def _records(plan: Plan, side: str, table: File) -> dict[str, Any]:
    where = "file_name" if plan.request.format == "videofolder" else "shard"
    fields = {where: pa.string(), "split": pa.string()}
    fields |= {name: plan.rows.schema.field(name).type for name in columns_of(plan)}
    return {
        "@type": "cr:RecordSet",
        "@id": side,
        "name": side,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{side}/{name}",
                "name": f"{side}/{name}",
                "dataType": _data_type(type_),
                "source": {"fileObject": {"@id": table.name}, "extract": {"column": name}},
            }
            for name, type_ in fields.items()
        ],
    }


def _data_type(type_: pa.DataType) -> str:
    tests = (
        ("sc:Boolean", pa.types.is_boolean(type_)),
        ("sc:Integer", pa.types.is_integer(type_)),
        ("sc:Float", pa.types.is_floating(type_)),
        ("sc:Date", pa.types.is_date(type_) or pa.types.is_timestamp(type_)),
    )
    return next((name for name, fits in tests if fits), "sc:Text")


def _responsible(plan: Plan, found: Statistics, about: About) -> dict[str, Any]:
    consent = found.words.get("source_consent")
    given = ", ".join(f"{word}: {count}" for word, count in sorted(consent.items())) if consent else "not stated"
    chosen = "; ".join(plan.conditions) or "no condition"
    return {
        "rai:dataCollection": "Videos made by lp_ray: portraits, each animated with the motion of a driving clip.",
        "rai:dataCollectionType": ["Software Collection"],
        "rai:dataPreprocessingProtocol": [f"Chosen by: {chosen}. Split {plan.request.sides} by identity and driving."],
        "rai:machineAnnotationTools": sorted(found.words.get("engine", {})),
        "rai:dataBiases": [LIMITS[2]],
        "rai:dataLimitations": [limit for n, limit in enumerate(LIMITS) if n != 2],
        "rai:personalSensitiveInformation": [f"Faces of people. Consent of those shown: {given}."],
        "rai:dataReleaseMaintenancePlan": f"Removal on request: {about.contact or 'no contact was given'}.",
    }
