"""The language of `where=…`: what it means is defined, and what it does not have is refused by name."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.errors import RefusedError
from lp_ray.dataset.expression import parse

TABLE = pa.table(
    {
        "jitter": [1.0, 3.0, None, float("nan")],
        "n_frames": [10, 20, 30, None],
        "kind": ["video", "gif", None, "video"],
        "has_audio": [True, False, None, True],
        "source_consent_expires": pa.array([date(2026, 1, 1), None, date(2027, 1, 1), date(2026, 5, 5)]),
        "faces": pa.array([[1.0], None, [], [2.0]]),
    }
)
COLUMNS = dict(zip(TABLE.schema.names, TABLE.schema.types, strict=True))


def judged(text: str) -> list[list[bool | None]]:
    return [condition.judge(TABLE).to_pylist() for condition in parse(text, COLUMNS)]


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("jitter < 2", [True, False, None, None]),
        ("2 > jitter", [True, False, None, None]),
        ("not jitter < 2", [False, True, None, None]),
        ("0.5 < jitter <= 3", [True, True, None, None]),
        ("jitter < n_frames", [True, True, None, None]),
        ("jitter is null", [False, False, True, True]),
        ("jitter is not null", [True, True, False, False]),
        ("jitter is null or kind == 'gif'", [False, True, True, True]),
        ("kind in ('video', 'png')", [True, False, None, True]),
        ("kind not in ['gif']", [True, False, None, True]),
        ("n_frames in (10, 30.0)", [True, False, True, None]),
        ("has_audio", [True, False, None, True]),
        ("has_audio == false or jitter > -1e3", [True, True, None, None]),
        ("source_consent_expires >= '2026-05-05'", [False, None, True, True]),
    ],
)
def test_conditions_are_true_false_or_null_where_a_value_is(text: str, verdicts: list[bool | None]) -> None:
    assert judged(text) == [verdicts]


def test_the_outermost_and_separates_conditions_with_their_text() -> None:
    found = parse("(jitter < 2  and\n n_frames > 5) and (kind == 'gif' or has_audio)", COLUMNS)
    assert [condition.text for condition in found] == ["jitter < 2", "n_frames > 5", "kind == 'gif' or has_audio"]
    assert [condition.columns for condition in found] == [("jitter",), ("n_frames",), ("kind", "has_audio")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jiter < 2", "there is no column 'jiter' (did you mean 'jitter'?)"),
        ("jitter > 'a'", "\"'a'\" is a text, 'jitter' is a number"),
        ("kind == 3", "'3' is a number, 'kind' is a text"),
        ("jitter == null", "write `is null`"),
        ("jitter is 3", "compared with =="),
        ("has_audio > true", "compare it with == or !="),
        ("source_consent_expires > 'soon'", "'soon'\" is no time"),
        ("faces == 1", "cannot be compared"),
        ("jitter", "is no condition"),
        ("1 < 2", "names no column"),
        ("jitter = 1", "cannot be read at '= 1'"),
        ("jitter < 2 and", "cannot be read"),
        ("kind in 'video'", "is no list"),
        ("kind in ('video', 3)", "does not fit 'kind'"),
        ("kind in ('video', source_id)", "'source_id' is a column: a list holds values; write kind == source_id or …"),
        ("n_frames not in (n_frames, 1)", "is a column"),
        (" ", "empty"),
        ("jitter > 1" + "0" * 30, "too large"),
        ("n_frames<1 or " * 400 + "n_frames<1", "at most 4000"),
        ("(" * 300 + "jitter" + ")" * 300 + " < 1", "cannot be read"),
        ("not " * 60 + "has_audio", "nested too deeply"),
        ("-jitter < 1", "not a part of this language"),
    ],
)
def test_what_is_wrong_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(text, COLUMNS)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        *("__import__('os').system('true') == 0", "jitter.__class__ == 1", "(lambda: 1)() == 1", "[x for x in kind]"),
        *("f'{jitter}' == '1'", "(jitter := 3) == 3", "kind[0] == 'v'", "jitter ** 9 ** 9 ** 9 > 1", "2 ** 9 < jitter"),
        *(
            "jitter if has_audio else 1",
            "kind == b'video'",
            "jitter == 1j",
            "jitter == ...",
            "{jitter: 1} == 1",
            "await jitter",
        ),
    ],
)
def test_nothing_but_the_language_is_taken(text: str) -> None:
    with pytest.raises(RefusedError):
        parse(text, COLUMNS)


@given(st.text(alphabet="jitter kind<>=!()'\"0123456789.,[]andornotisnull\\{}#\n\0", max_size=60))
def test_any_text_is_judged_or_refused(text: str) -> None:
    try:
        found = judged(text)
    except RefusedError:
        return
    assert all(len(verdicts) == TABLE.num_rows for verdicts in found)
