"""The values behind the manifests: read, checked, joined with this checkout's version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from lp_ray.base.errors import RefusedError
from lp_ray.base.version import __version__

REPOSITORY = Path(__file__).resolve().parents[1]
DEFAULT_VALUES = Path(__file__).with_name("values.yaml")

# What Kubernetes takes: RFC 1123 labels, quantities (apimachinery's resource.Quantity without exponents).
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
CRON = re.compile(r"\S+( \S+){4}")
MAX_NAME, MAX_SHARDS = 29, 1000
"""KubeRay refuses a RayJob's name over 47 characters, and a scheduled one's ends in `-20261126-0230-999`."""

T = TypeVar("T")


@dataclass(frozen=True)
class Image:
    """Where the image is; its tag is the version."""

    repository: str
    pull_policy: str
    pull_secret: str | None


@dataclass(frozen=True)
class Run:
    """What one run does and how long it may."""

    arguments: list[str]
    retries: int
    deadline_s: int
    keep_s: int


@dataclass(frozen=True)
class Head:
    """Size of the head's pod."""

    cpu: int
    memory: str


@dataclass(frozen=True)
class Workers:
    """Size and number of a group's pods."""

    cpu: int
    memory: str
    gpus: int
    min: int
    max: int
    node_selector: dict[str, str]
    tolerations: list[dict[str, Any]]


@dataclass(frozen=True)
class Weights:
    """Where pods find weights and where those come from."""

    node_cache: str | None
    origin: str


@dataclass(frozen=True)
class Secrets:
    """Names of Secrets."""

    ray_token: str
    storage: str | None


@dataclass(frozen=True)
class Schedule:
    """When runs start and into how many parts each is cut."""

    cron: str
    time_zone: str
    shards: int


@dataclass(frozen=True)
class Values:
    """All values, as in values.yaml."""

    name: str
    namespace: str
    image: Image
    job: Run
    head: Head
    cpu_workers: Workers
    gpu_workers: Workers
    idle_s: int
    weights: Weights
    secrets: Secrets
    service_account: str | None
    schedule: Schedule

    @property
    def image_name(self) -> str:
        """The image with its tag: this checkout's version."""
        return f"{self.image.repository}:{package_version()}"


def package_version() -> str:
    """Return the version of this checkout."""
    return __version__


def ray_version() -> str:
    """Return the version of Ray that constraints.txt pins."""
    pinned = re.search(r"^ray==(\S+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    if pinned is None:
        raise RefusedError("constraints.txt pins no version of ray")
    return pinned[1]


def load_values(path: Path) -> Values:
    """Read a values file. Raises RefusedError naming the value that is missing, unknown or wrong."""
    loaded = yaml.safe_load(path.read_text())
    values = _build(Values, loaded, "")
    _check(values)
    return values


def _build(kind: type[T], given: Any, where: str) -> T:
    if not isinstance(given, Mapping):
        raise RefusedError(f"{where or 'values'}: {given!r} must be a mapping")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    prefix = f"{where}." if where else ""
    if unknown := sorted(set(given) - set(names)):
        raise RefusedError(f"{prefix}{unknown[0]}: no such value (there are {', '.join(names)})")
    if missing := [name for name in names if name not in given]:
        raise RefusedError(f"{prefix}{missing[0]}: is missing")
    return kind(**{name: _value(hints[name], given[name], prefix + name) for name in names})


def _value(hint: Any, given: Any, where: str) -> Any:
    if hasattr(hint, "__dataclass_fields__"):
        return _build(hint, given, where)
    kinds = tuple(get_origin(kind) or kind for kind in (get_args(hint) if type(None) in get_args(hint) else (hint,)))
    if not isinstance(given, kinds) or isinstance(given, bool):
        raise RefusedError(f"{where}: {given!r} must be {' or '.join(kind.__name__ for kind in kinds)}")
    return given


def _check(values: Values) -> None:
    for where, name in (("name", values.name), ("namespace", values.namespace)):
        _demand(where, name, bool(NAME.fullmatch(name)) and len(name) <= MAX_NAME, "a short name of a-z, 0-9 and -")
    for where, quantity in (
        ("head.memory", values.head.memory),
        ("cpu_workers.memory", values.cpu_workers.memory),
        ("gpu_workers.memory", values.gpu_workers.memory),
    ):
        _demand(where, quantity, bool(QUANTITY.fullmatch(quantity)), "a quantity such as 16Gi")
    for where, workers in (("cpu_workers", values.cpu_workers), ("gpu_workers", values.gpu_workers)):
        _demand(f"{where}.cpu", workers.cpu, workers.cpu >= 1, "at least 1")
        _demand(
            f"{where}.max",
            workers.max,
            0 <= workers.min <= workers.max,
            f"at least {where}.min, which is {workers.min}",
        )
    _demand("cpu_workers.gpus", values.cpu_workers.gpus, values.cpu_workers.gpus == 0, "0: GPUs belong to gpu_workers")
    _demand("gpu_workers.gpus", values.gpu_workers.gpus, values.gpu_workers.gpus >= 1, "at least 1")
    for index, word in enumerate(values.job.arguments):
        _demand(f"job.arguments[{index}]", word, isinstance(word, str), "a text: quote it")
    _demand("job.retries", values.job.retries, values.job.retries >= 0, "at least 0")
    _demand("job.deadline_s", values.job.deadline_s, values.job.deadline_s >= 1, "at least 1")
    _demand("schedule.shards", values.schedule.shards, 1 <= values.schedule.shards <= MAX_SHARDS, f"1 to {MAX_SHARDS}")
    _demand("schedule.cron", values.schedule.cron, bool(CRON.fullmatch(values.schedule.cron)), "five fields of cron")


def _demand(where: str, given: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise RefusedError(f"{where}: {given!r} must be {wanted}")
