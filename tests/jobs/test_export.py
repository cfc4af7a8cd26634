"""Templates leave as .pkl files, and come back as the same motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lp_ray import LivePortraitPipeline
from lp_ray.motion.pickle_io import import_pickle
from lp_ray.motion.template import TemplateReader
from tests.generated import Generated
from tests.running import RunJob

pytestmark = pytest.mark.slow


def test_a_template_goes_out_and_drives_again(generated: Generated, tmp_path: Path, call_job: RunJob) -> None:
    people = LivePortraitPipeline(weights="seeded", size="tiny")
    source, driving = generated.portrait, generated.clip
    given = {"paste_back": False, "format": "frames"}
    first = people.animate(source, driving, tmp_path / "out", end_s=0.3, **given)
    ended = call_job("export", f"input={tmp_path / 'out' / 'templates'}", f"output={tmp_path / 'pkl'}")
    assert ended.code == 0, ended.output
    (exported,) = (tmp_path / "pkl").glob("*.pkl")
    header, motion = import_pickle(exported.read_bytes())
    template = TemplateReader(Path(first["template_uri"].removeprefix("file://")))
    assert (header.fps, header.n_frames) == (template.header.fps, template.header.n_frames)
    for name, rows in motion.items():
        np.testing.assert_array_equal(rows, template.read(names=[name])[name].reshape(rows.shape))
    again = people.animate(source, exported, tmp_path / "out", **given)
    assert again["sha256"] == first["sha256"], "the same frames"


def test_what_cannot_leave_is_refused(generated: Generated, tmp_path: Path, call_job: RunJob) -> None:
    preview = LivePortraitPipeline(engine="preview")
    preview.animate(generated.portrait, generated.silent_clip, tmp_path / "out", end_s=0.1)
    ended = call_job("export", f"input={tmp_path / 'out' / 'templates'}", f"output={tmp_path / 'a.pkl'}")
    assert ended.code == 2 and "only liveportrait templates have a .pkl form" in ended.output
    (tmp_path / "empty").mkdir()
    ended = call_job("export", f"input={tmp_path / 'empty'}", f"output={tmp_path / 'a.pkl'}")
    assert ended.code == 2 and "no motion templates" in ended.output
