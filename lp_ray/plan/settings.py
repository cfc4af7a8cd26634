"""What a job's stages are built from: one picklable value, made once on the driver."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from lp_ray.base.limits import Limits
from lp_ray.engine.factory import EngineSpec
from lp_ray.face.factory import LandmarkerSpec
from lp_ray.output.layout import OutputLayout, TemplateLayout


@dataclass(frozen=True)
class StageSpec:
    """A stage that the job adds, with its parameters."""

    name: str
    parameters: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Settings:
    """Everything besides the manifests and the per-pair options."""

    output: str
    """Normalised URI of the output folder."""
    templates: str
    """Normalised URI of the template store."""
    engine: EngineSpec
    landmarker: LandmarkerSpec = field(default_factory=LandmarkerSpec)
    animal_detector: LandmarkerSpec = field(default_factory=lambda: LandmarkerSpec("xpose"))
    """What finds animals that have no box."""
    subject: str = ""
    """What sources are whose row does not say: human, animal or auto; empty: what the engine's variant is for."""
    limits: Limits = field(default_factory=Limits)
    max_missing_fraction: float = 0.2
    """Share of a clip's frames that may be without a face."""
    chunk_frames: int = 32
    """Frames animated and encoded at a time: the unit of memory."""
    span_chunks: int = 31
    """Chunks of one pair that one actor makes in a row: the unit of retry."""
    source_cache: int = 4
    """Sources kept ready by each actor."""
    max_unexpected: int = 20
    """Pairs and clips that may meet an error which no input is to blame for, before the job stops."""
    stages: tuple[StageSpec, ...] = ()
    """Stages that stand between the job's own: filters, and what other packages bring."""
    sidecars: tuple[str, ...] = ()
    """Names of the files that are written beside every result."""
    shard: str = ""
    """Name of the part of the manifest that this run works on; empty: the whole."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Names this run in leases and staging: what two runs stage, one of them taken for dead, is never mixed."""

    def parameters(self, stage: str) -> dict[str, object]:
        """Return the parameters of a stage that the job adds."""
        return next((dict(spec.parameters) for spec in self.stages if spec.name == stage), {})

    @property
    def output_layout(self) -> OutputLayout:
        """Where things lie in the output, as this run sees it."""
        return OutputLayout(self.output, self.run, self.shard)

    @property
    def template_layout(self) -> TemplateLayout:
        """Where things lie in the template store, as this run sees it."""
        return TemplateLayout(self.templates, self.run)
