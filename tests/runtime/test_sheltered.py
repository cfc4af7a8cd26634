"""What a restarted actor does: the same work, in a child that may die of one input."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from lp_ray import storage
from lp_ray.contract.options import PairOptions
from lp_ray.engine.factory import EngineSpec
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import DrivingRef, PairWork, SourceRef
from lp_ray.runtime import sheltered
from lp_ray.stages.rows import SourcedSpan, SpanRow
from lp_ray.stages.source import CropSources
from tests.faults import plants


def span(path: Path) -> SpanRow:
    """One frame of a pair whose source is a picture."""
    source = SourceRef(path.name, storage.normalise(str(path)), "large-small", None, "human")
    driving = DrivingRef("d", "file:///d.mp4", "0", None, None)
    work = PairWork(path.stem, source, driving, "t", "", asdict(PairOptions()), 25, 1, 1, 1, "video")
    return SpanRow(work, 0, 1)


def test_a_child_of_a_restarted_actor_takes_the_blame_of_its_input_alone(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture that kills its process fails, at its second pair without another death; the others come out as
    they would from an actor that never died, and so do errors of an ordinary kind."""
    monkeypatch.syspath_prepend(str(plants.FOLDER))
    monkeypatch.setattr(sheltered, "_died_before", lambda: True)
    picture = cv2.cvtColor(cv2.imread(str(media / "source" / "s9.jpg")), cv2.COLOR_BGR2RGB)
    for name, pixels in (("good", picture), ("fatal", plants.for_landmarker(picture)), ("grey", picture * 0)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    settings = Settings("file:///out", "file:///templates", EngineSpec("preview"))
    stage = sheltered.ShelteredCropSources(settings, 512)
    rows = {}
    for name in ("good", "fatal", "grey", "fatal", "good"):
        (batch,) = stage(span(tmp_path / f"{name}.png").to_batch())
        (rows[name],) = SourcedSpan.from_batch(batch)
    failure = rows["fatal"].failure
    assert failure is not None and (failure.stage, failure.error_class) == ("source", "ActorDiedError")
    assert "died of SIGSEGV" in failure.error
    assert rows["grey"].failure is not None and rows["grey"].failure.error_class == "NoFaceError"
    (batch,) = CropSources(settings, 512)(span(tmp_path / "good.png").to_batch())
    (expected,) = SourcedSpan.from_batch(batch)
    np.testing.assert_array_equal(rows["good"].crops, expected.crops)
    np.testing.assert_array_equal(rows["good"].points, expected.points)
    assert rows["good"].work == expected.work and rows["good"].failure is None
    stage._child.close()
