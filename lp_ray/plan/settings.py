"""All settings from which a job's stages are built: one picklable value, made once on the driver."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from lp_ray.base.limits import Limits
from lp_ray.contract.measuring import Labels, Measuring, Metrics, make_measuring
from lp_ray.contract.provenance import Provenance
from lp_ray.engine.factory import EngineSpec
from lp_ray.face.factory import LandmarkerSpec
from lp_ray.output.layout import OutputLayout, TemplateLayout


@dataclass(frozen=True)
class StageSpec:
    """The name and the parameters of a stage that the job adds."""

    name: str
    parameters: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Settings:
    """All settings of a job, except the manifests and the options of pairs."""

    output: str
    """Normalised URI of the output folder."""
    templates: str
    """Normalised URI of the template store."""
    engine: EngineSpec
    landmarker: LandmarkerSpec = field(default_factory=LandmarkerSpec)
    animal_detector: LandmarkerSpec = field(default_factory=lambda: LandmarkerSpec("xpose"))
    """The detector for animals that have no box."""
    subject: str = ""
    """Subject of sources whose row has none: human, animal or auto. Empty: the subject of the engine's variant."""
    limits: Limits = field(default_factory=Limits)
    max_missing_fraction: float = 0.2
    """The largest allowed share of a clip's frames without a face."""
    chunk_frames: int = 32
    """Frames animated and encoded at a time: the unit of memory."""
    span_chunks: int = 31
    """Chunks of one pair that one actor makes in a row: the unit of retry."""
    source_cache: int = 4
    """Number of sources that each actor keeps ready."""
    max_unexpected: int = 20
    """Number of pairs and clips that may meet an error which no input caused, before the job stops."""
    stages: tuple[StageSpec, ...] = ()
    """Stages added between the built-in ones: filters, and stages from other packages."""
    sidecars: tuple[str, ...] = ()
    """Names of the sidecars that are written beside each result."""
    labels: Labels = Measuring.labels
    labels_landmarks: bool = Measuring.labels_landmarks
    metrics: Metrics = Measuring.metrics
    metrics_arcface: str = Measuring.metrics_arcface
    metrics_device: str = Measuring.metrics_device
    """What is measured on finished videos: see `lp_ray.contract.measuring.Measuring`."""
    require_consent: bool = False
    """Whether inputs whose row states no consent that holds today fail their pairs."""
    provenance: Provenance = field(default_factory=Provenance)
    """Whether and with what results are signed."""
    shard: str = ""
    """Name of the part of the manifest that this run works on; empty: the whole manifest."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    """This run's name in leases and staging. It keeps the staged files of two runs apart, even if one is wrongly
    thought dead."""

    def parameters(self, stage: str) -> dict[str, object]:
        """Return the parameters of a stage that the job adds."""
        return next((dict(spec.parameters) for spec in self.stages if spec.name == stage), {})

    @property
    def measuring(self) -> Measuring:
        """What is measured on finished videos. Raises RefusedError for an unknown value."""
        return make_measuring(vars(self))

    @property
    def output_layout(self) -> OutputLayout:
        """This run's paths in the output."""
        return OutputLayout(self.output, self.run, self.shard)

    @property
    def template_layout(self) -> TemplateLayout:
        """This run's paths in the template store."""
        return TemplateLayout(self.templates, self.run)
