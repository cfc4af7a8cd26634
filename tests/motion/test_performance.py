"""Performance tables: curves between keys, exact rates, and files that are read as untrusted input."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.errors import InputTooLargeError, PerformanceError
from lp_ray.base.limits import Limits
from lp_ray.contract.edits import BY_NAME
from lp_ray.motion import performance_io
from lp_ray.motion.performance import Keys, Performance
from lp_ray.motion.performance_io import read_performance, write_csv, write_parquet

NTSC = Fraction(30000, 1001)


@st.composite
def performances(draw: st.DrawFn) -> Performance:
    """Any controls, any keys in range, any rate."""
    curves = {}
    for name in draw(st.lists(st.sampled_from(sorted(BY_NAME)), min_size=1, max_size=4, unique=True)):
        control = BY_NAME[name]
        times = sorted(draw(st.lists(st.integers(0, 4000), min_size=1, max_size=6, unique=True)))
        shares = draw(st.lists(st.floats(0, 1), min_size=len(times), max_size=len(times)))
        values = [min(control.low + share * (control.high - control.low), control.high) for share in shares]
        curves[name] = Keys(np.array(times) / 1000, np.array(values))
    rate = draw(st.sampled_from([Fraction(25), NTSC, Fraction(24000, 1001), Fraction(60)]))
    return Performance.of_keys(rate, curves, draw(st.sampled_from(["linear", "cubic"])))


@given(performances())
def test_curves_pass_through_keys_and_stay_between_them(performance: Performance) -> None:
    """Before the first key and after the last they hold; in between they never go beyond their range."""
    for name, curve in performance.sample().items():
        keys = performance.curves[name]
        times = np.arange(len(performance)) * performance.fps.denominator / performance.fps.numerator
        assert curve.shape == (len(performance),)
        assert keys.values.min() <= curve.min() and curve.max() <= keys.values.max()
        assert (curve[times <= keys.times[0]] == keys.values[0]).all()
        assert (curve[times >= keys.times[-1]] == keys.values[-1]).all()
        for i, time in enumerate(times):
            beside = keys.values[max(np.searchsorted(keys.times, time, "right") - 1, 0) :][:2]
            assert beside.min() - 1e-9 <= curve[i] <= beside.max() + 1e-9


@given(performances(), st.lists(st.integers(0, 300), max_size=3).map(sorted))
def test_a_cut_makes_no_difference(performance: Performance, cuts: list[int]) -> None:
    """Any range of frames has, to the bit, what the whole has."""
    whole = performance.sample()
    ends = [0, *(min(cut, len(performance)) for cut in cuts), len(performance)]
    for start, stop in itertools.pairwise(ends):
        for name, curve in performance.sample(start, stop).items():
            np.testing.assert_array_equal(curve, whole[name][start:stop])


@given(performances(), st.sampled_from([write_csv, write_parquet]))
def test_written_and_read_again_it_is_the_same(performance: Performance, write: object) -> None:
    """Keys, rate, length and interpolation; so every frame too."""
    again = read_performance(write(performance))
    assert (again.fps, again.n_frames, again.interpolation) == (
        performance.fps,
        performance.n_frames,
        performance.interpolation,
    )
    assert again.curves.keys() == performance.curves.keys()
    for name, keys in performance.curves.items():
        np.testing.assert_array_equal(again.curves[name].times, keys.times)
        np.testing.assert_array_equal(again.curves[name].values, keys.values)


def test_linear_and_cubic() -> None:
    keys = {"head_yaw": Keys(np.array([0.0, 1, 2]), np.array([0.0, 20, 20]))}
    linear, cubic = (Performance.of_keys(Fraction(10), keys, how).sample()["head_yaw"] for how in ("linear", "cubic"))
    np.testing.assert_allclose(linear, [*range(0, 20, 2), *[20] * 11])
    assert abs(np.diff(cubic)[9]) < 0.7 < abs(np.diff(linear)[9]), "a cubic curve arrives softly"
    assert cubic.max() == 20


def test_frames_and_times_are_two_ways_to_say_one_thing() -> None:
    """At 29.97 frames a second, frame 30 is shown at 1.001 s, exactly."""
    by_frame = read_performance(b"# fps=30000/1001\nframe,smile\n0,0\n30,1\n")
    by_time = read_performance(b"# fps=30000/1001\ntime,smile\n0,0\n1.001,1\n")
    assert by_frame.fps == NTSC and by_frame.n_frames == by_time.n_frames == 31
    np.testing.assert_allclose(by_frame.sample()["smile"], np.arange(31) / 30, atol=1e-12)
    np.testing.assert_allclose(by_frame.sample()["smile"], by_time.sample()["smile"], atol=1e-12)


def test_a_table_as_people_write_it() -> None:
    """Empty cells are no keys, names of the reference work, a last row may say only how long it is, 25 is the rate."""
    text = "\ufefftime, mov_x ,blink\r\n0,0,\r\n0.5,,1\r\n\r\n1,0.1,\r\n2,,\r\n"
    found = read_performance(text.encode())
    assert found.fps == 25 and found.n_frames == 51 and found.interpolation == "linear"
    assert found.curves["head_x"].times.tolist() == [0, 1] and found.curves["blink"].values.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "an empty table"),
        ("time\n0\n", "needs a column of a control"),
        ("smile\n0\n", "one column of time"),
        ("time,frame,smile\n0,0,0\n", "one column of time"),
        ("time,smile\n", "without rows"),
        ("time,smlie\n0,1\n", r"no control 'smlie' \(did you mean 'smile'\?\)"),
        ("time,mov_x,head_x\n0,0,0\n", "a column stands twice"),
        ("time,smile,smile\n0,0,0\n", "a column stands twice"),
        ("time,smile\n0,1,2\n", "row 0: 3 cells in a table of 2 columns"),
        ("time,smile\n0,much\n", "row 0: smile='much' is no number"),
        ("time,smile\n0,nan\n", "row 0: smile='nan' is no number"),
        ("time,smile\n0,0\n1,inf\n", "row 1: smile='inf' is no number"),
        ("time,smile\n0,0\n,1\n", "row 1: time is empty"),
        ("time,smile\n0,0\n0,1\n", "row 1: time=0; it must ascend"),
        ("time,smile\n-1,0\n", "row 0: time=-1; it must ascend from row to row, from 0"),
        ("frame,smile\n0,0\n1.5,1\n", "row 1: frame=1.5 is no whole number"),
        ("time,smile\n0,0\n0.5,1.4\n", "smile=1.4 at 0.5 s must be a number between -0.3 and 1.3"),
        ("# fps=0\ntime,smile\n0,0\n", "fps='0' is no rate"),
        ("# fps=1e999999999\ntime,smile\n0,0\n", "fps='1e999999999' is no rate"),
        ("# fps=25/0\ntime,smile\n0,0\n", "fps='25/0' is no rate"),
        ("# interpolation=spline\ntime,smile\n0,0\n", "interpolation='spline' must be one of linear, cubic"),
        ('time,smile\n0,"0\n', "not a table"),
        ("# interpolation=cubic\ntime,smile\n0,0\n1e-308,1\n", "keys must be 1e-06 s apart at least"),
    ],
)
def test_bad_tables_are_refused_by_row_and_column(text: str, says: str) -> None:
    with pytest.raises(PerformanceError, match=says):
        read_performance(text.encode())


def _parquet(metadata: dict[str, str] | None = None, **columns: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), sink)
    return sink.getvalue()


def spoilt(word: bytes) -> bytes:
    """Return Parquet in which a word, of a column's name or a setting, is not UTF-8."""
    sink = io.BytesIO()
    table = pa.table({"time": pa.array([0.0]), "smile": pa.array([0.0])})
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"lp_ray.fps": "50"})
    assert word in sink.getvalue()
    return sink.getvalue().replace(word, word[:-1] + b"\xff")


def test_parquet_of_other_numbers() -> None:
    """Whole numbers and float32 are numbers too, null is no key."""
    data = _parquet({"lp_ray.fps": "50"}, frame=pa.array([0, 50]), smile=pa.array([None, 1.0], pa.float32()))
    found = read_performance(data)
    assert found.fps == 50 and found.n_frames == 51 and found.curves["smile"].times.tolist() == [1.0]


def test_bad_parquet_is_refused() -> None:
    whole = _parquet(time=pa.array([0.0]), smile=pa.array([0.0]))
    for broken in (whole[:-20], whole[:4] + bytes(40), b"PAR1"):
        with pytest.raises(PerformanceError, match="not a readable Parquet file"):
            read_performance(broken)
    with pytest.raises(PerformanceError, match="column smile holds string; numbers belong there"):
        read_performance(_parquet(time=pa.array([0.0]), smile=pa.array(["0"])))
    with pytest.raises(PerformanceError, match="column smile holds NaN"):
        read_performance(_parquet(time=pa.array([0.0]), smile=pa.array([np.nan])))
    with pytest.raises(PerformanceError, match="not a text in UTF-8"):
        read_performance(b"\xff\xd8\xff\xe0" + bytes(20))
    with pytest.raises(PerformanceError, match="not a readable Parquet file"):  # no float is that number
        read_performance(_parquet(time=pa.array([0.0]), smile=pa.array([2**63 - 1])))
    for word in (b"smile", b"lp_ray.fps"):
        with pytest.raises(PerformanceError, match="is not UTF-8: rename it"):
            read_performance(spoilt(word))


def test_tables_over_the_limits_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    two_hours = b"time,smile\n0,0\n7200,1\n"
    with pytest.raises(InputTooLargeError, match="7200 s, at most 3600"):
        read_performance(two_hours)
    with pytest.raises(InputTooLargeError, match="180001 frames, at most 1000"):
        read_performance(two_hours, Limits(max_duration_s=1e6, max_frames=1000))
    with pytest.raises(InputTooLargeError, match="22 bytes, at most 10"):
        read_performance(two_hours, Limits(max_bytes=10))
    enough = b"time,smile\n0,0\n1,1\n"
    assert read_performance(enough, Limits(max_bytes=len(enough))).n_frames == 26
    monkeypatch.setattr(performance_io, "MAX_ROWS", 1)
    for data in (two_hours, _parquet(time=pa.array([0.0, 1.0]), smile=pa.array([0.0, 1.0]))):
        with pytest.raises(InputTooLargeError, match="2 rows, at most 1"):
            read_performance(data)


def test_lines_end_as_people_s_systems_end_them_and_in_no_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends a line is what was counted before: two million form feeds are no two million rows."""
    lines = ["time,smile", "0,0", "1,1"]
    first, *others = (read_performance(end.join(lines).encode()).sample()["smile"] for end in ("\n", "\r\n", "\r"))
    assert all(np.array_equal(first, other) for other in others)
    with pytest.raises(PerformanceError, match="no control"):
        read_performance("\f".join(lines).encode())
    monkeypatch.setattr(performance_io, "MAX_REMARKS", 0)
    monkeypatch.setattr(performance_io, "MAX_ROWS", 3)
    with pytest.raises(InputTooLargeError, match="more than 3 lines"):
        read_performance(b"time,smile" + b"\r" * 10)


def test_frames_beyond_the_end_are_a_mistake() -> None:
    performance = read_performance(b"time,smile\n0,0\n1,1\n")
    with pytest.raises(ValueError, match="frames 0 to 27 of a performance of 26"):
        performance.sample(0, 27)
