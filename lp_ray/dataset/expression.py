"""The language of `where=…`: conditions on columns of the results, checked and compiled before any row is read.

The grammar is a part of Python's expressions: `and`, `or`, `not`, comparisons (also `0.1 < x < 0.9`), `in`, `not in`,
`is null`, `is not null`, numbers, texts, `true`, `false`, parentheses, names of columns. Python's parser reads the
text; nothing of it is ever executed: every node that is not in the grammar is refused.

A comparison with a null (or NaN) is null; `and`, `or` and `not` follow Kleene's logic, as in SQL.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard

import pyarrow as pa
import pyarrow.compute as pc

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest

MAX_TEXT = 4000
"""Characters of an expression."""
MAX_DEPTH = 50
"""Levels of `and`, `or` and `not` in one another."""
_EXACT = 2**53
_TIME = pa.timestamp("us", tz="UTC")

Kind = Literal["number", "text", "truth", "time"]
Get = Callable[[pa.Table], Any]

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Condition:
    """One condition of an expression, all of which a row must meet. `columns` are those that it reads."""

    text: str
    columns: tuple[str, ...]
    _truth: Get

    def judge(self, table: pa.Table) -> pa.ChunkedArray:
        """Return true, false or null (a value that it needs is null) for each row of a flat table."""
        found = self._truth(table)
        if isinstance(found, pa.Scalar):  # `null is null`, whatever the row
            return pa.chunked_array([pa.array([found.as_py()] * table.num_rows, pa.bool_())])
        return found


@dataclass(frozen=True)
class _Value:
    """A compiled operand. `kind` None: it is null. `literal`: the value of a constant."""

    kind: Kind | None
    get: Get
    literal: Any = None


def parse(text: str, columns: Mapping[str, pa.DataType], where: str = "where") -> list[Condition]:
    """Compile an expression into the conditions that its outermost `and` joins, in order.

    `columns` are the names and types of a flat results table; `where` is how errors call the text. Raises
    RefusedError, which names the wrong part: anything outside of the grammar, an unknown column, kinds that do not fit.
    """
    text = text.strip().replace("\r", " ").replace("\n", " ")
    if not text:
        raise RefusedError(f"{where}: the expression is empty")
    if len(text) > MAX_TEXT:
        raise RefusedError(f"{where}: {len(text)} characters, at most {MAX_TEXT} are read")
    try:
        tree = _tree(text, where)
        parts = list(_conjuncts(tree))
        return [_condition(part, text, columns, where) for part in parts]
    except (RecursionError, MemoryError) as error:
        raise RefusedError(f"{where}: the expression is nested too deeply") from error


def _tree(text: str, where: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        place = (error.offset or 1) - 1
        raise RefusedError(
            f"{where}: cannot be read at {text[place : place + 20]!r} ({error.msg}): write it like "
            "\"identity_mean > 0.9 and kind == 'video'\""
        ) from error
    except ValueError as error:
        raise RefusedError(f"{where}: cannot be read ({error})") from error


def _conjuncts(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for part in node.values:
            yield from _conjuncts(part)
    else:
        yield node


def _condition(node: ast.expr, text: str, columns: Mapping[str, pa.DataType], where: str) -> Condition:
    compiler = _Compiler(text, columns, where)
    truth = compiler.truth(node)
    if not compiler.used:
        raise RefusedError(f"{where}: {compiler.source(node)!r} names no column")
    return Condition(compiler.source(node), tuple(dict.fromkeys(compiler.used)), truth)


class _Compiler:
    """Compiles the nodes of one condition, and notes the columns that it uses."""

    def __init__(self, text: str, columns: Mapping[str, pa.DataType], where: str) -> None:
        self._text, self._columns, self._where = text, columns, where
        self.used: list[str] = []

    def source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self._text, node) or ast.unparse(node)

    def refuse(self, node: ast.expr, why: str) -> RefusedError:
        return RefusedError(f"{self._where}: {self.source(node)!r} {why}")

    def truth(self, node: ast.expr, depth: int = 0) -> Get:
        """Compile a node that must be true or false."""
        if depth > MAX_DEPTH:
            raise RecursionError
        if isinstance(node, ast.BoolOp):
            join = pc.and_kleene if isinstance(node.op, ast.And) else pc.or_kleene
            return _joined(join, [self.truth(part, depth + 1) for part in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.truth(node.operand, depth + 1)
            return lambda table: pc.invert(inner(table))
        if isinstance(node, ast.Compare):
            return self._compared(node)
        value = self.value(node)
        if value.kind != "truth":
            raise self.refuse(node, "is no condition: compare it with something")
        return value.get

    def value(self, node: ast.expr) -> _Value:
        """Compile an operand: a column or a constant."""
        if _names_column(node):
            return self._column(node)
        literal = self._literal(node)
        if literal is None:
            return _Value(None, lambda _: pa.scalar(None))
        kind: Kind = "truth" if isinstance(literal, bool) else "text" if isinstance(literal, str) else "number"
        scalar = pa.scalar(literal)
        return _Value(kind, lambda _: scalar, literal)

    def _literal(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id.lower() in _WORDS:
            return _WORDS[node.id.lower()]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            number = self._literal(node.operand)
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise self.refuse(node, "is no number")
            return -number if isinstance(node.op, ast.USub) else number
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str | None):
            if isinstance(node.value, int) and abs(node.value) > _EXACT:
                raise self.refuse(node, "is too large a number")
            return node.value
        raise self.refuse(node, "is not a part of this language: columns, numbers, texts and comparisons are")

    def _column(self, node: ast.Name) -> _Value:
        name = node.id
        if name not in self._columns:
            raise RefusedError(f"{self._where}: there is no column {name!r}{nearest(name, self._columns)}")
        kind = _kind(self._columns[name])
        if kind is None:
            raise self.refuse(node, f"holds {self._columns[name]}, which cannot be compared")
        self.used.append(name)
        return _Value(kind, lambda table: _loaded(table[name], kind))

    def _compared(self, node: ast.Compare) -> Get:
        """Compile a comparison; a chain such as `0.1 < x < 0.9` is all of its parts."""
        lefts = [node.left, *node.comparators[:-1]]
        parts = [self._pair(left, op, right) for left, op, right in zip(lefts, node.ops, node.comparators, strict=True)]
        return _joined(pc.and_kleene, parts)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Get:
        if isinstance(op, ast.Is | ast.IsNot):
            return self._null_test(left, isinstance(op, ast.Is), right)
        if isinstance(op, ast.In | ast.NotIn):
            return self._within(left, isinstance(op, ast.NotIn), right)
        first, second = self.value(left), self.value(right)
        if first.kind is None or second.kind is None:
            raise self.refuse(left if first.kind is None else right, "never equals anything: write `is null`")
        first, second = self._in_time(first, second, left), self._in_time(second, first, right)
        if first.kind != second.kind:
            raise self.refuse(right, f"is a {second.kind}, {self.source(left)!r} is a {first.kind}")
        if first.kind == "truth" and not isinstance(op, ast.Eq | ast.NotEq):
            raise self.refuse(left, "is true or false: compare it with == or !=")
        compare = getattr(pc, _COMPARE[type(op)])
        return lambda table: _compared_exactly(compare, first.get(table), second.get(table))

    def _null_test(self, left: ast.expr, wanted: bool, right: ast.expr) -> Get:
        value = self.value(left)
        if self.value(right).kind is not None:
            raise self.refuse(right, "cannot follow `is`: only null can, everything else is compared with ==")
        test = pc.is_null if wanted else pc.is_valid
        return lambda table: test(value.get(table))

    def _within(self, left: ast.expr, negated: bool, right: ast.expr) -> Get:
        value = self.value(left)
        if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            raise self.refuse(right, "is no list: write in ('a', 'b')")
        for node in right.elts:
            if _names_column(node):
                raise self.refuse(
                    node, f"is a column: a list holds values; write {self.source(left)} == {node.id} or …"
                )
        members = [self._in_time(self.value(node), value, node) for node in right.elts]
        for node, member in zip(right.elts, members, strict=True):
            if member.kind != value.kind:
                raise self.refuse(node, f"does not fit {self.source(left)!r}, which is a {value.kind}")
        whole = all(type(member.literal) is int and abs(member.literal) < 1 << 63 for member in members)
        number = pa.int64() if whole else pa.float64()
        type_ = {"number": number, "text": pa.string(), "truth": pa.bool_(), "time": _TIME}[str(value.kind)]
        chosen = pa.array([member.literal for member in members], type_)

        def within(table: pa.Table) -> Any:
            found, wanted = value.get(table), chosen
            if pa.types.is_floating(found.type) and whole:
                wanted = chosen.cast(pa.float64(), safe=False)
            found = found.cast(wanted.type, safe=False)
            inside = pc.is_in(found, wanted)
            return pc.if_else(pc.is_valid(found), pc.invert(inside) if negated else inside, None)

        return within

    def _in_time(self, value: _Value, other: _Value, node: ast.expr) -> _Value:
        """Read a text as a time where it is compared with a time."""
        if other.kind != "time" or value.kind != "text" or value.literal is None:
            return value
        try:
            moment = datetime.fromisoformat(value.literal)
        except ValueError:
            raise self.refuse(node, "is no time: write '2026-12-31' or '2026-12-31T12:00:00+00:00'") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        scalar = pa.scalar(moment, _TIME)
        return _Value("time", lambda _: scalar, moment)


def _names_column(node: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and node.id.lower() not in _WORDS


def _compared_exactly(compare: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    """Compare; whole numbers beyond those that a float holds are compared with a fraction as the nearest float."""
    try:
        return compare(one, other)
    except pa.ArrowInvalid:
        return compare(one.cast(pa.float64(), safe=False), other.cast(pa.float64(), safe=False))


def _joined(join: Callable[[Any, Any], Any], parts: list[Get]) -> Get:
    def joined(table: pa.Table) -> Any:
        found = parts[0](table)
        for part in parts[1:]:
            found = join(found, part(table))
        return found

    return joined


def _kind(type_: pa.DataType) -> Kind | None:
    tests: tuple[tuple[Kind, bool], ...] = (
        ("truth", pa.types.is_boolean(type_)),
        ("number", pa.types.is_integer(type_) or pa.types.is_floating(type_)),
        ("text", pa.types.is_string(type_) or pa.types.is_large_string(type_)),
        ("time", pa.types.is_temporal(type_) and (pa.types.is_date(type_) or pa.types.is_timestamp(type_))),
    )
    return next((kind for kind, fits in tests if fits), None)


def _loaded(column: pa.ChunkedArray, kind: Kind | None) -> pa.ChunkedArray:
    if kind == "time":
        return column.cast(_TIME) if not pa.types.is_date(column.type) else column.cast(pa.timestamp("us")).cast(_TIME)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), None, column)
    return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column
