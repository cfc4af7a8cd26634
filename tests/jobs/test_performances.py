"""`lp-ray performances`: tables of a seed, a manifest of them, and a job that takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lp_ray.acting.generate import natural
from lp_ray.motion.performance_io import read_performance
from lp_ray.output.results import read_results
from tests.generated import Generated
from tests.jobs.conftest import Call
from tests.media.test_sound_files import clicks, make_wav


def test_the_same_seed_makes_the_same_tables_and_later_calls_add(tmp_path: Path, call: Call) -> None:
    ended = call(f"performances output={tmp_path / 'a'} count=3 seed=7 seconds=1 fps=30000/1001 ranges.head_yaw=5")
    assert ended.code == 0 and "3 performances of 1 s, manifest of 3" in ended.output, ended.output
    rows = pq.read_table(tmp_path / "a" / "drivings.parquet").to_pylist()
    assert [row["driving_id"] for row in rows] == ["7-0000000", "7-0000001", "7-0000002"]
    tables = [Path(row["uri"].removeprefix("file://")).read_bytes() for row in rows]
    made = [read_performance(table) for table in tables]
    assert {(performance.fps.numerator, len(performance)) for performance in made} == {(30000, 30)}
    assert all(np.abs(performance.sample()["head_yaw"]).max() <= 5 for performance in made)
    call(f"performances output={tmp_path / 'b'} count=1 first=2 seed=7 seconds=1 fps=30000/1001 ranges.head_yaw=5")
    assert (tmp_path / "b" / "7-0000002.perf.parquet").read_bytes() == tables[2]
    assert "manifest of 4" in call(f"performances output={tmp_path / 'a'} count=2 first=2 seed=7 seconds=1").output
    assert read_performance(tables[0]).curves.keys() == natural(7, 0, 1, made[0].fps).curves.keys()


def test_a_job_takes_their_manifest(tmp_path: Path, call: Call, generated: Generated) -> None:
    call(f"performances output={tmp_path / 'p'} count=2 seconds=0.2")
    ended = call(
        f"animate source={generated.portrait} drivings={tmp_path / 'p' / 'drivings.parquet'} output={tmp_path / 'o'}"
    )
    assert ended.code == 0 and "2 done" in ended.output, ended.output


def test_performances_to_a_sound(tmp_path: Path, call: Call, generated: Generated) -> None:
    """Lips open where it is loud, as long as it lasts; a copy lies beside each table, and the job plays it. Nobody
    but the user knows whose voice it is: consent is left to be stated."""
    sound, output = make_wav(tmp_path / "voice.wav", clicks(1.6, 0.5)), tmp_path / "p"
    ended = call(f"performances output={output} count=2 sound={sound} seed=3")
    assert ended.code == 0 and "2 performances of 1.6 s, manifest of 2" in ended.output, ended.output
    tables = [read_performance((output / f"3-000000{n}.perf.parquet").read_bytes()) for n in (0, 1)]
    lips = [table.sample()["lips_open"] for table in tables]
    assert len(lips[0]) == 40 and np.array_equal(*lips)
    assert set(np.flatnonzero(np.diff(lips[0]) > 0) + 1) == {12, 25, 37}
    assert not np.array_equal(*(table.sample()["head_yaw"] for table in tables))
    assert all((output / f"3-000000{n}.wav").read_bytes() == sound.read_bytes() for n in (0, 1))
    rows = pq.read_table(output / "drivings.parquet").to_pylist()
    assert [row["consent"] for row in rows] == [None, None]
    drivings = f"drivings={output / 'drivings.parquet'}"
    assert call(f"animate source={generated.portrait} {drivings} output={tmp_path / 'o'} paste_back=false").code == 0
    made = read_results(str(tmp_path / "o")).to_pylist()
    assert [(row["has_audio"], row["n_frames"]) for row in made] == [(True, 40), (True, 40)]
    again = call(f"animate source={generated.portrait} {drivings} output={tmp_path / 'o'} paste_back=false")
    assert again.code == 0 and "2 done already" in again.output, again.output


def test_a_sound_that_lies_there_does_not_become_that_of_another_table(tmp_path: Path, call: Call) -> None:
    sound, output = make_wav(tmp_path / "voice.wav", clicks(1, 0.5)), tmp_path / "p"
    assert call(f"performances output={output} count=1 sound={sound} ranges.head_yaw=0").code == 0
    refused = call(f"performances output={output} count=2 seconds=1")
    assert refused.code == 2 and "0-0000000.wav would become the sound of the table beside it" in refused.output
    assert not (output / "0-0000001.perf.parquet").exists()
    assert call(f"performances output={output} count=1 sound={sound} seconds=0.5").code == 0, "its own is replaced"
    assert call(f"performances output={output} count=1 first=1 seconds=1").code == 0
    assert [row["consent"] for row in pq.read_table(output / "drivings.parquet").to_pylist()] == [None, "synthetic"]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("sound=voice.aac", "sound=voice.aac must be a sound file, by its name too: .wav, .flac"),
        ("sound=none.wav", "sound=none.wav: "),
        ("sound={page}", "not a sound file (WAV, FLAC"),
        ("sound={voice} ranges.speaking=1", "ranges.speaking has no effect with sound=…"),
        ("sound={voice} seconds=0", "seconds=0 must be a number above 0"),
        ("count=0", "count=0 must be a whole number from 1"),
        ("seed=-1", "seed=-1 must be a whole number from 0"),
        ("seconds=0", "seconds=0 must be a number above 0"),
        ("fps=fast", "fps='fast' must be a number or a fraction"),
        ("ranges.head_yaw=90", "ranges: head_yaw=90.0 must be between 0 and 25"),
        ("ranges.blinks=3", "ranges: "),
        ("ranges.nose=3", "ranges.nose=… is no setting"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, call: Call, typed: str, reason: str) -> None:
    (tmp_path / "page.wav").write_text("<html>not found")
    voice = make_wav(tmp_path / "voice.wav", clicks(1))
    ended = call(f"performances output={tmp_path / 'p'} {typed.format(page=tmp_path / 'page.wav', voice=voice)}")
    assert ended.code == 2 and reason in ended.output, ended.output
    assert not (tmp_path / "p").exists()
