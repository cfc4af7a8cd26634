"""Which columns of the results the page filters and sorts by, and how it gets them: one file of bytes each.

A number is a float32 (NaN: null), a word a uint32 into the column's dictionary. So a million rows take four megabytes a
column, and the browser loads only the columns that somebody uses.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.base.json_values import finite
from lp_ray.contract.options import DEFAULTS, changed
from lp_ray.quality.table import METRICS

Kind = Literal["number", "word"]

WORDS = (
    *("status", "source_id", "driving_id", "engine", "kind", "stage", "error_class"),
    *("source_subject_id", "source_licence", "source_consent", "driving_licence", "digital_source_type"),
)
NUMBERS = ("score", "n_frames", "duration_s", "width", "height", "bytes", "attempts", "frames_without_face")
META = "meta_"
OPTION = "option "
"""Before the name of an option of pairs, as a column of the page."""
MOST_WORDS = 200_000
"""A column with more different words is no filter; it is left out."""

_METRICS = {metric.name: metric for metric in METRICS}


@dataclass
class Column:
    """One column of the page, growing by batches. `words` are its dictionary, in the order of their codes."""

    name: str
    kind: Kind
    text: str = ""
    unit: str = ""
    better: str = "no"
    parts: list[NDArray[Any]] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def add_numbers(self, values: pa.ChunkedArray) -> None:
        """Add a batch of numbers, or of true and false."""
        numbers = pc.cast(values, pa.float64(), safe=False).to_numpy()  # beyond 2^53 the nearest
        with np.errstate(over="ignore"):
            self.parts.append(np.asarray(numbers, np.float32))

    def add_words(self, values: pa.ChunkedArray) -> None:
        """Add a batch of words; null is a word of its own, empty."""
        coded = pc.fill_null(_texts(values), "").combine_chunks().dictionary_encode()
        self.add_coded(coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False))

    def add_coded(self, words: Sequence[str], codes: NDArray[Any]) -> None:
        """Add a batch of words: `codes` (n) are their places in `words`."""
        known = [self.words.setdefault(word, len(self.words)) for word in words]
        self.parts.append(np.array(known, np.uint32)[codes])

    def fill(self, word: str, n: int) -> None:
        """Give all rows up to the `n`th that have no word yet this one."""
        if (lacking := n - len(self)) > 0:
            self.add_coded([word], np.zeros(lacking, np.intp))

    @property
    def is_of_use(self) -> bool:
        """Whether it tells rows apart, or says something."""
        if self.kind == "word":
            return len(self.words) <= MOST_WORDS and self.words.keys() != {""}
        return any(np.isfinite(part).any() for part in self.parts)

    def described(self) -> dict[str, Any]:
        """Return what the page knows of it before it is loaded."""
        about: dict[str, Any] = {"name": self.name, "kind": self.kind, "text": self.text}
        if self.kind == "word":
            return about | {"words": list(self.words)}
        return about | {"unit": self.unit, "better": self.better}

    def bytes(self) -> bytes:
        """Return its values, little-endian."""
        kind = "<u4" if self.kind == "word" else "<f4"
        return b"".join(np.asarray(part, kind).tobytes() for part in self.parts)


class Columns:
    """All columns of the page, growing by batches of the flat results."""

    def __init__(self, schema: pa.Schema) -> None:
        self.each: dict[str, Column] = {}
        for name in schema.names:
            self._declare(name, schema.field(name).type)
        self._n = 0

    def _declare(self, name: str, kind: pa.DataType) -> None:
        metric = _METRICS.get(name)
        if metric is not None:
            self.each[name] = Column(name, "number", metric.definition, metric.unit, metric.better)
        elif name in NUMBERS or (name.startswith(META) and _is_number(kind)):
            self.each[name] = Column(name, "number")
        elif name in WORDS or (name.startswith(META) and not pa.types.is_nested(kind)):
            self.each[name] = Column(name, "word")

    def add(self, rows: pa.Table) -> None:
        """Add a batch."""
        for name in rows.column_names:
            column = self.each.get(name)
            if column is not None:
                (column.add_numbers if column.kind == "number" else column.add_words)(rows[name])
        self._add_options(rows["options"] if "options" in rows.column_names else pa.chunked_array([], pa.string()))
        self._n += rows.num_rows

    def _add_options(self, texts: pa.ChunkedArray) -> None:
        """Add a column for each option that differs anywhere from its default."""
        coded = pc.fill_null(texts, "{}").combine_chunks().dictionary_encode()
        each = [_options(text) for text in coded.dictionary.to_pylist()]
        codes = coded.indices.to_numpy(zero_copy_only=False)
        for name in sorted({name for options in each for name in options}):
            column = self.each.setdefault(OPTION + name, Column(OPTION + name, "word"))
            column.fill(_default(name), self._n)
            column.add_coded([_word(options[name]) if name in options else _default(name) for options in each], codes)

    def finished(self) -> list[Column]:
        """Return the columns that are of use, those of options filled up to the end."""
        for column in self.each.values():
            if column.name.startswith(OPTION):
                column.fill(_default(column.name.removeprefix(OPTION)), self._n)
        return sorted((column for column in self.each.values() if column.is_of_use), key=_place)


def _place(column: Column) -> int:
    """Return where a column stands on the page: who and how, then the user's own, then metrics, then the rest."""
    if column.name in WORDS[:3]:
        return WORDS.index(column.name)
    groups = (
        column.name.startswith(META),
        column.name.startswith(OPTION),
        column.name in _METRICS,
        column.name in WORDS,
        True,
    )
    return len(WORDS) + groups.index(True)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _options(text: str) -> dict[str, Any]:
    """Return the options of a row that differ from their defaults; none of a text that is not ours."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return changed(found) if isinstance(found, dict) else {}


def _default(option: str) -> str:
    """Return the word of a row that does not differ from its default in this option."""
    return _word(DEFAULTS.get(option))


def _word(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


def script(call: str, *arguments: Any) -> bytes:
    """Return a script that hands arguments to the page. Nothing in them can end the script or begin another."""
    known = finite(arguments)
    texts = [json.dumps(argument, ensure_ascii=True, allow_nan=False, default=_plain) for argument in known]
    safe = [text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") for text in texts]
    return f"lpGallery.{call}({','.join(safe)});\n".encode()


def _texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values of any plain type as texts; bytes in hexadecimal."""
    kind = values.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.chunked_array([[None if each is None else each.hex() for each in values.to_pylist()]], pa.string())
    return values.cast(pa.string())


def packed(data: bytes) -> str:
    """Return bytes as a script can carry them."""
    return base64.b64encode(data).decode()


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime.date) else str(value)
