"""The preview engine as a job's engine. It needs no weights."""

from __future__ import annotations

from typing import ClassVar

from lp_ray.base.declared import Declared, Setting
from lp_ray.base.errors import RefusedError
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.topology import N_POINTS
from lp_ray.engine.protocol import EngineIdentity, EngineSpec


class PreviewPlugin:
    """Implements `lp_ray.engine.protocol.EnginePlugin`."""

    settings: ClassVar[Declared] = {"device": Setting("cpu", "cpu: it runs nowhere else")}

    def identify(self, spec: EngineSpec) -> EngineIdentity:
        engine = self.create(spec)
        return EngineIdentity(
            engine.name, engine.digest, engine.needs_crops, engine.source_size, N_POINTS, keeps_pixels=True
        )

    def create(self, spec: EngineSpec) -> PreviewEngine:
        if spec.device != "cpu":
            raise RefusedError(f"engine.device={spec.device!r}: the preview engine runs on cpu only")
        return PreviewEngine()


PLUGIN = PreviewPlugin()
