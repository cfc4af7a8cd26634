"""Where a job's stages run: in this process, or on Ray. What a job does with either is the same."""

from __future__ import annotations

from typing import Protocol

from omegaconf import DictConfig

from lp_ray.base.errors import RefusedError
from lp_ray.base.extras import check_part
from lp_ray.coordinator.job import Job
from lp_ray.coordinator.reporting import Reporter
from lp_ray.plan.devices import ON_CPU, Devices
from lp_ray.plan.settings import Settings
from lp_ray.runtime.executor import Executor
from lp_ray.runtime.graph import graphs_of
from lp_ray.runtime.inline import InlineExecutor
from lp_ray.stages.contract import Bench

from .plan_report import work_lines
from .setup import plain

HANDFUL = 4
"""Pairs, or clips, at most, that `runtime=auto` works on in this process: starting Ray and its actors takes longer."""

RUNTIMES = ("auto", "inline", "ray")


class Runtime(Protocol):
    """What runs a job's stages."""

    def check(self, settings: Settings, devices: Devices) -> None:
        """Raise RefusedError for what is known, before anything is written, not to run here."""

    def start(self) -> None:
        """Get ready to run stages. Raises RefusedError when the cluster does not answer."""

    def executor(self, bench: Bench, devices: Devices, reporter: Reporter) -> Executor:
        """Return what runs the stages, after `start`."""

    def outlook(self, job: Job) -> list[str]:
        """Say how much work is ahead, and what is going to do it, in lines for people. Nothing is started here."""

    def stop(self) -> None:
        """Let go of what `start` took. Does no harm without it."""


class InThisProcess:
    """Implements `Runtime`: one row after the other, no Ray."""

    def check(self, settings: Settings, devices: Devices) -> None:
        for part, device in devices.items():
            if device.is_gpu and part not in ON_CPU and device.number >= _gpus_here():
                raise RefusedError(
                    f"{part}={device} asks for a GPU, this machine has none of that number: use {part}=cpu"
                )

    def start(self) -> None:
        """Nothing to start."""

    def executor(self, bench: Bench, devices: Devices, reporter: Reporter) -> Executor:
        return InlineExecutor(bench)

    def outlook(self, job: Job) -> list[str]:
        stages = [stage.name for graph in graphs_of(job.settings).phases for stage in graph.stages]
        return [*work_lines(job, dict.fromkeys(stages, 1)), "runtime: in this process, without Ray"]

    def stop(self) -> None:
        """Nothing to let go of."""


def choose(config: DictConfig, n: int) -> Runtime:
    """Return what runs a job of `n` pairs, or clips. Raises RefusedError for settings that contradict each other."""
    asked = str(config.runtime)
    if asked not in RUNTIMES:
        raise RefusedError(f"runtime={asked!r} must be one of {', '.join(RUNTIMES)}")
    for_ray = _settings_for_ray(config)
    if asked == "inline" and for_ray:
        raise RefusedError(f"{for_ray[0]} has no effect with runtime=inline: leave one of them out")
    if asked == "inline" or (asked == "auto" and n <= HANDFUL and not for_ray):
        return InThisProcess()
    from .on_ray import OnRay  # Ray is imported only where it runs

    return OnRay(config)


def _gpus_here() -> int:
    check_part("liveportrait", "a job on a GPU")
    import torch  # only where a GPU is asked for

    return torch.cuda.device_count()


def _settings_for_ray(config: DictConfig) -> list[str]:
    """Return the settings that only Ray heeds, as they are given."""
    given = [
        f"pools.{stage}.{knob}={value}"
        for stage, values in plain(config.pools).items()
        for knob, value in values.items()
        if value is not None
    ]
    if config.cluster.address != "local":
        given.append(f"cluster.address={config.cluster.address}")
    if config.cluster.num_cpus is not None:
        given.append(f"cluster.num_cpus={config.cluster.num_cpus}")
    return given
