"""`alpha` as a column of a job on Ray: pairs that keep transparency and pairs that do not, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import lp_ray
from lp_ray.base.limits import Limits
from lp_ray.media.alpha import joined
from lp_ray.media.clip import open_clip
from lp_ray.media.frames_zip import read_frames
from lp_ray.media.images import read_image, write_image
from tests.generated import Generated
from tests.running import RunJob, write_manifest


def test_a_job_of_both_is_whole_measured_and_not_made_again(
    tmp_path: Path, generated: Generated, run_job: RunJob, call_job: RunJob
) -> None:
    """Labels and metrics are measured on what has transparency, too."""
    portrait = read_image(generated.portrait, Limits())
    fade = np.repeat(np.linspace(120, 255, portrait.shape[1]).astype(np.uint8)[None], len(portrait), 0)
    write_image(tmp_path / "faded.png", joined(portrait, fade))
    sources = [
        {"uri": str(tmp_path / "faded.png"), "source_id": "faded"},
        {"uri": str(generated.film), "source_id": "film"},
    ]
    wanted = [
        ("faded", "keep", "auto"),
        ("faded", "white", "auto"),
        ("faded", "keep", "frames"),
        ("film", "keep", "mov"),
    ]
    pairs = [{"source_id": s, "driving_id": "d", "alpha": a, "format": f} for s, a, f in wanted]
    tables = {
        "sources": sources,
        "drivings": [{"uri": str(generated.clip), "driving_id": "d", "end_s": 0.5}],
        "pairs": pairs,
    }
    paths = {name: write_manifest(tmp_path / f"{name}.parquet", table) for name, table in tables.items()}
    command = ("animate", *(f"{name}={path}" for name, path in paths.items()), f"output={tmp_path / 'out'}")
    command = (*command, "labels=full", "metrics=fast", "chunk_frames=4")
    ended = run_job(*command)
    assert ended.code == 0, ended.output
    rows = lp_ray.read_results(tmp_path / "out").to_pylist()
    assert {row["status"] for row in rows} == {"done"}
    made = {row["kind"]: row for row in rows}
    assert made.keys() == {"webm", "video", "frames", "mov"}
    assert all(row["labels_uri"] and row["identity_mean"] is not None for row in rows), "measured"
    path = {kind: Path(row["video_uri"].removeprefix("file://")) for kind, row in made.items()}
    (first, *_), clip = read_frames(path["frames"], alpha=True), open_clip(path["webm"], Limits())
    np.testing.assert_array_equal(first[..., 3], fade)
    assert np.abs(next(clip.frames(alpha=True))[..., 3].astype(int) - fade).max() <= 8
    film = open_clip(path["mov"], Limits())
    assert all((frame[..., 3] == 255).all() for frame in film.frames(alpha=True)) and film.info.has_alpha
    before = pq.read_table(next((tmp_path / "out" / "results").glob("*.parquet")))
    ended = call_job(*command)
    assert ended.code == 0 and "nothing to do" in ended.output, ended.output
    assert pq.read_table(next((tmp_path / "out" / "results").glob("*.parquet"))).equals(before)
