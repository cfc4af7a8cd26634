"""A restarted actor does the same work in a child process, which may die of one input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from lp_ray import storage
from lp_ray.engine.factory import EngineIdentity, EngineSpec
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import SpanRow
from lp_ray.runtime import actor
from lp_ray.stages.contract import Bench
from lp_ray.stages.rows import SourcedSpan
from lp_ray.stages.source import CropSources
from tests.faults import plants
from tests.generated import Generated
from tests.stages.work import SOURCE, work

IDENTITY = EngineIdentity("preview", "digest", needs_crops=False, source_size=512)


def span(path: Path) -> SpanRow:
    """One frame of a pair whose source is a picture."""
    source = replace(SOURCE, key=path.name, uri=storage.normalise(str(path)))
    return SpanRow(work(pair_id=path.stem, source=source, n_frames=1, chunk=1), 0, 1)


def test_a_child_of_a_restarted_actor_takes_the_blame_of_its_input_alone(
    tmp_path: Path, generated: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture that kills its process fails; its second pair fails without another death.

    All others have the same result as from an actor that never died, and so do ordinary errors.
    """
    monkeypatch.syspath_prepend(str(plants.FOLDER))
    monkeypatch.setattr(actor, "died_before", lambda: True)
    picture = cv2.cvtColor(cv2.imread(str(generated.portrait)), cv2.COLOR_BGR2RGB)
    for name, pixels in (("good", picture), ("fatal", plants.for_landmarker(picture)), ("grey", picture * 0)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    bench = Bench(Settings("file:///out", "file:///templates", EngineSpec("preview")), IDENTITY)
    stage = actor.actor_of(CropSources)(bench)
    rows = {}
    for name in ("good", "fatal", "grey", "fatal", "good"):
        (batch,) = stage(span(tmp_path / f"{name}.png").to_batch())
        (rows[name],) = SourcedSpan.from_batch(batch)
    failure = rows["fatal"].trace.failure
    assert failure is not None and (failure.stage, failure.error_class) == ("source", "ActorDiedError")
    assert "died of SIGSEGV" in failure.error
    grey = rows["grey"].trace.failure
    assert grey is not None and grey.error_class == "NoFaceError"
    (expected,) = CropSources(bench).work(span(tmp_path / "good.png"))
    np.testing.assert_array_equal(rows["good"].crops, expected.crops)
    np.testing.assert_array_equal(rows["good"].points, expected.points)
    assert rows["good"].work == expected.work and rows["good"].trace.failure is None
    stage._work._child.close()
