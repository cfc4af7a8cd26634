"""What Kubernetes and KubeRay would refuse, found before they see it.

Core objects and pod templates go through `kubernetes-validate` (Kubernetes' own OpenAPI schemas, strictly); KubeRay's
custom fields through the list in kuberay_v1.yaml, which names its source and version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from deploy.pods import Manifest
from deploy.values import NAME, QUANTITY

KUBERNETES = "1.33"
"""The oldest Kubernetes that the manifests are written for."""

FIELDS = Path(__file__).with_name("kuberay_v1.yaml")
FIRST_RAY_WITH_TOKENS = (2, 52)
MAX_RAYJOB_NAME = 47
MAX_REPLICAS = 2147483647
CLOSED = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "concurrencyPolicy": ("Allow", "Forbid", "Replace"),
    "completionMode": ("NonIndexed", "Indexed"),
}
"""Closed lists of core fields, which the published schemas leave open. Source: Kubernetes' API reference."""

_SCALARS: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "boolean": (bool,), "float": (int, float)}


def problems(manifest: Manifest) -> list[str]:
    """Say what is wrong with a manifest: one line each, beginning with the place."""
    if manifest.get("kind") != "RayJob":
        return _core_problems(manifest, str(manifest.get("kind")))
    found = list(_custom_problems("RayJob", manifest, "RayJob"))
    return found or [*_rules(manifest), *_template_problems(manifest)]


@cache
def _fields() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = yaml.safe_load(FIELDS.read_text())["kinds"]
    return loaded


def _core_problems(manifest: Manifest, where: str) -> list[str]:
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.path)
        return [f"{where}{place}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{where}: {error.message}"]
    return list(_value_problems(manifest, where))


def _value_problems(node: Any, where: str) -> Iterator[str]:
    """Find what is a plain string to the schema and yet refused by the API server, such as a memory of `16Gb`."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _value_problems(item, f"{where}[{index}]")
    elif isinstance(node, Mapping):
        for name, value in node.items():
            place = f"{where}.{name}"
            if name in ("requests", "limits"):
                bad = {k: v for k, v in value.items() if not QUANTITY.fullmatch(str(v))}
                yield from (f"{place}.{k}: {v!r} is not a quantity" for k, v in bad.items())
            elif name in CLOSED and value not in CLOSED[name]:
                yield f"{place}: {value!r} is none of {', '.join(CLOSED[name])}"
            else:
                yield from _value_problems(value, place)


def _custom_problems(kind: str, given: Any, where: str) -> Iterator[str]:
    """Compare a node with what the list says of its kind."""
    if kind.startswith("core:"):
        return
    if kind.startswith("["):
        if not isinstance(given, list):
            yield f"{where}: {given!r} is not a list"
            return
        for index, item in enumerate(given):
            yield from _custom_problems(kind[1:-1], item, f"{where}[{index}]")
    elif kind in _fields():
        yield from _object_problems(kind, given, where)
    else:
        yield from _scalar_problems(kind, given, where)


def _object_problems(kind: str, given: Any, where: str) -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield f"{where}: {given!r} is not a {kind}"
        return
    kinds = {name.rstrip("!"): field for name, field in _fields()[kind].items()}
    for name in _fields()[kind]:
        if name.endswith("!") and name[:-1] not in given:
            yield f"{where}.{name[:-1]}: is missing"
    for name, value in given.items():
        if name not in kinds:
            yield f"{where}.{name}: {kind} has no such field"
        else:
            yield from _custom_problems(kinds[name], value, f"{where}.{name}")


def _scalar_problems(kind: str, given: Any, where: str) -> Iterator[str]:
    if kind.startswith("("):
        if given not in kind[1:-1].split("|"):
            yield f"{where}: {given!r} is none of {', '.join(kind[1:-1].split('|'))}"
    elif kind == "map":
        if not isinstance(given, Mapping) or not all(isinstance(v, str) for v in given.values()):
            yield f"{where}: {given!r} is not a map of strings"
    else:
        name, _, least = kind.partition(" ")
        if not isinstance(given, _SCALARS[name]) or (isinstance(given, bool) and name != "boolean"):
            yield f"{where}: {given!r} is not of kind {name}"
        elif isinstance(given, int) and least and given < int(least):
            yield f"{where}: {given} is less than {least}"


def _rules(job: Manifest) -> Iterator[str]:
    """What KubeRay's controller refuses though every field is of its kind. Source: docs/reference/api.md."""
    spec, name = job["spec"], str(job["metadata"].get("name", ""))
    if not NAME.fullmatch(name) or len(name) > MAX_RAYJOB_NAME:
        yield f"RayJob.metadata.name: {name!r} is not a name of at most {MAX_RAYJOB_NAME} characters"
    if spec.get("ttlSecondsAfterFinished", 0) > 0 and not spec.get("shutdownAfterJobFinishes"):
        yield "RayJob.spec.ttlSecondsAfterFinished: works only with shutdownAfterJobFinishes"
    cluster = spec.get("rayClusterSpec")
    if cluster is not None:
        yield from _cluster_rules(cluster, "RayJob.spec.rayClusterSpec")
    elif not spec.get("clusterSelector"):
        yield "RayJob.spec: neither rayClusterSpec nor clusterSelector"


def _cluster_rules(cluster: Manifest, where: str) -> Iterator[str]:
    if cluster.get("authOptions", {}).get("mode") == "token":
        version = tuple(int(part) for part in re.findall(r"\d+", cluster.get("rayVersion", ""))[:2])
        if version < FIRST_RAY_WITH_TOKENS:
            yield f"{where}.rayVersion: token authentication needs 2.52.0 or newer, and it stated"
    groups = cluster.get("workerGroupSpecs", [])
    names = [group["groupName"] for group in groups]
    for index, group in enumerate(groups):
        place = f"{where}.workerGroupSpecs[{index}]"
        least, most = group.get("minReplicas", 0), group.get("maxReplicas", MAX_REPLICAS)
        if least > most:
            yield f"{place}.minReplicas: {least} is more than maxReplicas, {most}"
        if names.count(group["groupName"]) > 1:
            yield f"{place}.groupName: {group['groupName']!r} is the name of two groups"


def _template_problems(job: Manifest) -> Iterator[str]:
    spec = job["spec"]
    templates = {"RayJob.spec.submitterPodTemplate": spec.get("submitterPodTemplate")}
    cluster = spec.get("rayClusterSpec")
    if cluster is not None:
        where = "RayJob.spec.rayClusterSpec"
        templates[f"{where}.headGroupSpec.template"] = cluster["headGroupSpec"]["template"]
        for index, group in enumerate(cluster.get("workerGroupSpecs", [])):
            templates[f"{where}.workerGroupSpecs[{index}].template"] = group["template"]
    for place, template in templates.items():
        if template is not None:
            wrapped = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": template}
            yield from (
                problem.replace("PodTemplate.template", place) for problem in _core_problems(wrapped, "PodTemplate")
            )
