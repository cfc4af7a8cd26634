"""A detector in one file: it finds one face in the middle of every picture, always the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from lp_ray.base.arrays import Box, Image
from lp_ray.base.declared import Declared, Setting
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.protocol import Face, LandmarkerIdentity, LandmarkerSpec

TARGET = "tests.plugins.test_detector:PLUGIN"


class Middle:
    """Implements `lp_ray.face.protocol.Landmarker`."""

    name = "middle"
    digest = "middle 1"
    n_points = 478

    def detect(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        mesh = canonical_mesh().vertices * (1, -1, -1)
        irises = np.repeat(mesh[[33, 263]], 5, axis=0)
        points = np.concatenate([mesh, irises])
        scale = min(width, height) / 2 / np.ptp(mesh, axis=0).max()
        return [Face((points - points.mean(axis=0)) * scale + (width / 2, height / 2, 0), 1.0)]

    def detect_in_box(self, image: Image, box: Box) -> Face | None:
        return self.detect(image)[0]

    def follow(self, image: Image, previous: Face) -> Face | None:
        return previous


class MiddlePlugin:
    """Implements `lp_ray.face.protocol.LandmarkerPlugin`."""

    settings: ClassVar[Declared] = {"device": Setting("cpu", "cpu")}

    def identify(self, spec: LandmarkerSpec) -> LandmarkerIdentity:
        return LandmarkerIdentity(Middle.name, Middle.digest, Middle.n_points, ("Middle: public domain",))

    def create(self, spec: LandmarkerSpec) -> Middle:
        return Middle()


PLUGIN = MiddlePlugin()


def test_a_job_finds_faces_with_a_detector_that_another_package_brings(
    run_with: Callable[..., Any], one_pair: tuple[str, ...], rows: Callable[[], pa.Table]
) -> None:
    run = run_with("lp_ray.detectors", "middle", TARGET)
    ended = run("animate", *one_pair, "detector=middle", "runtime=inline")
    assert ended.code == 0, ended.output
    (row,) = rows().to_pylist()
    assert (row["status"], row["n_frames"], row["licences"]) == ("done", 5, ["Middle: public domain"])
    assert run("animate", *one_pair, "runtime=inline").code == 0 and len(rows()) == 2, (
        "another detector makes another pair"
    )
