"""The plugin of the LivePortrait engine."""

from __future__ import annotations

from typing import ClassVar

from lp_ray.base.declared import Declared, Setting
from lp_ray.engine.protocol import Engine, EngineIdentity, EngineSpec

PUBLISHED = ("official", "unpinned")
"""Labels of weights from the publisher. Results made with other weights state so."""


SLOW_START = {
    "cuda": (
        22_000,
        "an engine actor compiles for about a minute, unless its machine has kept the kernels of an earlier job; "
        "engine.execution=graph starts in seconds (its pairs have keys of their own)",
    ),
    "cpu": (
        300,
        "an engine actor compiles for some three minutes, for one if its machine has kept the kernels of an earlier "
        "job; without engine.execution=compiled it starts in seconds (its pairs have keys of their own)",
    ),
}
"""For each kind of device, the frames of an actor from which on compiling pays, and what to do for fewer. On an H200 a
minute over what it saves of a frame, 5.49 - 2.78 ms; on a CPU, three minutes over 0.6 s (docs/performance_log.md)."""


class LivePortraitPlugin:
    """Implements `lp_ray.engine.protocol.EnginePlugin`.

    Importing torch takes seconds and hundreds of megabytes, so only processes that animate import it.
    """

    settings: ClassVar[Declared] = {
        "device": Setting("cpu", "cpu, cuda or cuda:N; one actor for each GPU, a missing one is an error"),
        "precision": Setting("float32", "float32, bfloat16 or float16; keypoints, angles and grids stay float32"),
        "execution": Setting(
            "auto",
            "auto: on a GPU compiled in half precision, else graph, on a CPU eager; graph: on a GPU ready in seconds, "
            "half as fast as compiled; compiled: on a CPU minutes of start, then 1.4 times as fast; eager",
        ),
        "finishing": Setting(
            "cpu",
            "device: paste-back and yuv420p where the engine runs, for pictures into mp4; cpu: in the stage write",
        ),
        "weights": Setting("~/.cache/lp_ray/weights", "folder or URI of a weight store; seeded: random, for tests"),
        "size": Setting("full", "full; tiny: the same graph with few channels, seeded only"),
        "variant": Setting("human", "human or animal"),
    }

    def identify(self, spec: EngineSpec) -> EngineIdentity:
        from lp_ray.engine.liveportrait.engine import ON_DEVICE, LivePortraitEngine, check_finishing, engine_digest
        from lp_ray.engine.liveportrait.placement import check_execution
        from lp_ray.engine.liveportrait.weights.load import identify_weights

        execution, finishing = _own(spec, "execution"), _own(spec, "finishing")
        check_execution(execution)
        check_finishing(finishing)
        weights = identify_weights(spec.weights, spec.size, spec.variant)
        published = weights.label.startswith(PUBLISHED)
        label = spec.name if published else f"{spec.name} ({weights.label})"
        digest, kind = engine_digest(weights, spec.precision, execution, finishing), LivePortraitEngine
        return EngineIdentity(
            label,
            digest,
            kind.needs_crops,
            kind.source_size,
            licences=weights.licences,
            finishes=finishing == ON_DEVICE,
            slow_start=SLOW_START[spec.device.partition(":")[0]] if _compiles(spec, execution) else None,
        )

    def create(self, spec: EngineSpec) -> Engine:
        from lp_ray.engine.liveportrait.engine import LivePortraitEngine
        from lp_ray.engine.liveportrait.weights.load import load_weights

        weights = load_weights(spec.weights, spec.size, spec.variant)
        return LivePortraitEngine(
            weights, spec.device, spec.precision, _own(spec, "execution"), _own(spec, "finishing")
        )


def _compiles(spec: EngineSpec, execution: str) -> bool:
    """Return whether actors compile, as far as the driver can tell: it may run where there is no GPU."""
    by_itself = execution == "auto" and spec.precision != "float32" and spec.device.startswith("cuda")
    return execution == "compiled" or by_itself


def _own(spec: EngineSpec, name: str) -> str:
    """Return a setting that only this engine has: a spec that code makes need not say it."""
    return str(dict(spec.settings).get(name, LivePortraitPlugin.settings[name].default))


PLUGIN = LivePortraitPlugin()
