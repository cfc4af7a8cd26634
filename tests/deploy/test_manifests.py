"""What deploy/ renders: sound to Kubernetes and KubeRay, of one version, without a secret; wrong edits are refused."""

from __future__ import annotations

import copy
import json
import re
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir

from deploy.check import problems
from deploy.manifests import command, one_run, run_template, schedule
from deploy.values import DEFAULT_VALUES, REPOSITORY, Values, load_values, package_version, ray_version
from jobs.help import CONF
from jobs.scheduled import fill

Manifest = dict[str, Any]
DAY = date(2026, 11, 26)


@pytest.fixture(scope="module")
def values() -> Values:
    return load_values(DEFAULT_VALUES)


@pytest.fixture
def manifests(values: Values) -> dict[str, Manifest]:
    """Kind -> manifest, each a copy of its own."""
    rendered = [one_run(values, DAY, 0), *schedule(values)]
    return {m["kind"]: copy.deepcopy(m) for m in rendered}


def changed_values(tmp_path: Path, **changes: Any) -> Values:
    """Load the default values with some replaced: `job__retries=1` is job.retries."""
    loaded = yaml.safe_load(DEFAULT_VALUES.read_text())
    for path, value in changes.items():
        *groups, last = path.split("__")
        node = loaded
        for name in groups:
            node = node[name]
        node[last] = value
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(loaded))
    return load_values(file)


def test_everything_is_sound(manifests: dict[str, Manifest]) -> None:
    assert {kind: problems(m) for kind, m in manifests.items()} == {kind: [] for kind in manifests}
    assert set(manifests) == {"RayJob", "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "CronJob"}


@pytest.mark.parametrize(
    "changes",
    [
        {"service_account": "lp-ray-s3", "secrets__storage": None},
        {"weights__node_cache": None, "weights__origin": "s3://bucket/pretrained_weights"},
        {"schedule__shards": 12, "image__pull_secret": "registry"},
        {"gpu_workers__node_selector": {"karpenter.sh/capacity-type": "spot"}, "gpu_workers__gpus": 4},
    ],
)
def test_other_values_are_sound_too(tmp_path: Path, changes: dict[str, Any]) -> None:
    values = changed_values(tmp_path, **changes)
    assert [problem for m in [one_run(values, DAY, 0), *schedule(values)] for problem in problems(m)] == []


def _at(manifest: Manifest, path: str) -> tuple[Any, Any]:
    """Return the container that the last step of a path such as `spec.groups[0].name` lies in, and that step."""
    steps = [int(s[1:-1]) if s.startswith("[") else s for s in re.findall(r"\[\d+\]|[^.\[\]]+", path)]
    node: Any = manifest
    for step in steps[:-1]:
        node = node[step]
    return node, steps[-1]


CLUSTER = "spec.rayClusterSpec"
WORKERS = f"{CLUSTER}.workerGroupSpecs[1]"
POD = f"{WORKERS}.template.spec"
CRON = "spec.jobTemplate.spec"


@pytest.mark.parametrize(
    ("kind", "path", "wrong", "reason"),
    [
        ("RayJob", "apiVersion", "ray.io/v1alpha1", "'ray.io/v1alpha1' is none of ray.io/v1"),
        ("RayJob", "metadata.name", "LP_Ray", "'LP_Ray' is not a name"),
        ("RayJob", "spec.shutdownAfterJobFinishes", "yes", "shutdownAfterJobFinishes: 'yes' is not of kind boolean"),
        ("RayJob", "spec.shutdownAfterJobFinishes", False, "works only with shutdownAfterJobFinishes"),
        ("RayJob", "spec.backoffLimit", -1, "spec.backoffLimit: -1 is less than 0"),
        ("RayJob", "spec.submissionMode", "Batch", "spec.submissionMode: 'Batch' is none of K8sJobMode"),
        ("RayJob", "spec.entryPoint", "x", "spec.entryPoint: RayJobSpec has no such field"),
        ("RayJob", f"{CLUSTER}.rayVersion", 2.6, "rayVersion: 2.6 is not of kind string"),
        ("RayJob", f"{CLUSTER}.rayVersion", "2.51.0", "token authentication needs 2.52.0"),
        ("RayJob", f"{CLUSTER}.authOptions.mode", "on", "authOptions.mode: 'on' is none of disabled, token"),
        ("RayJob", f"{CLUSTER}.autoscalerOptions.version", "v3", "version: 'v3' is none of v1, v2"),
        ("RayJob", f"{CLUSTER}.headGroupSpec.rayStartParams", {"num-cpus": 0}, "is not a map of strings"),
        ("RayJob", f"{WORKERS}.maxReplicas", "8", "maxReplicas: '8' is not of kind integer"),
        ("RayJob", f"{WORKERS}.minReplicas", 9, "minReplicas: 9 is more than maxReplicas, 8"),
        ("RayJob", f"{WORKERS}.groupName", "cpu", "'cpu' is the name of two groups"),
        ("RayJob", f"{WORKERS}.max", 3, "workerGroupSpecs[1].max: WorkerGroupSpec has no such field"),
        ("RayJob", f"{POD}.containers[0].imagePullPolicy", True, "imagePullPolicy: True is not of type 'string'"),
        ("RayJob", f"{POD}.containers[0].resources.limits.memory", "28Gb", "memory: '28Gb' is not a quantity"),
        ("RayJob", f"{POD}.containers[0].port", 80, "'port' was unexpected"),
        ("RayJob", f"{POD}.terminationGracePeriodSeconds", "2m", "terminationGracePeriodSeconds: '2m' is not of type"),
        (
            "RayJob",
            "spec.submitterPodTemplate.spec.containers",
            {},
            "submitterPodTemplate.spec.containers: {} is not of",
        ),
        ("CronJob", "spec.concurrencyPolicy", 1, "concurrencyPolicy: 1 is not of type 'string'"),
        ("CronJob", "spec.concurrencyPolicy", "Forbidden", "'Forbidden' is none of Allow, Forbid, Replace"),
        ("CronJob", f"{CRON}.completions", "4", "completions: '4' is not of type 'integer'"),
        ("CronJob", "spec.shedule", "* * * * *", "'shedule' was unexpected"),
        ("Role", "rules[0].verbs", "create", "verbs: 'create' is not of type 'array'"),
        ("RoleBinding", "roleRef.names", "x", "'names' was unexpected"),
        ("ServiceAccount", "automount", False, "'automount' was unexpected"),
        ("ConfigMap", "data", "text", "data: 'text' is not of type 'object'"),
    ],
)
def test_one_wrong_value_is_refused(
    manifests: dict[str, Manifest], kind: str, path: str, wrong: object, reason: str
) -> None:
    """One value changed wrongly, and the reason names it."""
    node, step = _at(manifests[kind], path)
    node[step] = wrong
    found = problems(manifests[kind])
    assert any(reason in problem for problem in found), found


@pytest.mark.parametrize("path", [f"{CLUSTER}.headGroupSpec", f"{WORKERS}.groupName", f"{WORKERS}.template"])
def test_a_missing_field_is_refused(manifests: dict[str, Manifest], path: str) -> None:
    node, step = _at(manifests["RayJob"], path)
    del node[step]
    assert problems(manifests["RayJob"]) == [f"RayJob.{path}: is missing"]


def _walk(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [node, *(found for value in node.values() for found in _walk(value))]
    if isinstance(node, list):
        return [found for item in node for found in _walk(item)]
    return []


def test_one_image_of_this_version(values: Values) -> None:
    """Every container runs this checkout's version, and the cluster the pinned Ray."""
    everything = [one_run(values, DAY, 0), *schedule(values), run_template(values)]
    images = [node["image"] for node in _walk(everything) if "image" in node]
    assert len(images) > 6
    assert set(images) == {f"registry.example.com/lp_ray:{package_version()}"}
    assert {node["rayVersion"] for node in _walk(everything) if "rayVersion" in node} == {ray_version()}


def test_secrets_by_reference_only(values: Values) -> None:
    """No manifest is a Secret, and what looks like a credential is taken from one."""
    everything = [one_run(values, DAY, 0), *schedule(values)]
    assert "Secret" not in {m["kind"] for m in everything}
    variables = [v for node in _walk(everything) for v in node.get("env", []) if isinstance(v, dict)]
    plain = [v["name"] for v in variables if re.search("TOKEN|SECRET|KEY|PASSWORD", v["name"]) and "value" in v]
    assert plain == []
    token = next(v for v in variables if v["name"] == "RAY_AUTH_TOKEN")
    assert token["valueFrom"]["secretKeyRef"] == {"name": "lp-ray-token", "key": "auth_token"}


def test_groups_and_head(manifests: dict[str, Manifest]) -> None:
    """GPUs are asked for by the GPU group alone, and no actor lands on the head."""
    cluster = manifests["RayJob"]["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    asked = {
        group["groupName"]: group["template"]["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
        for group in cluster["workerGroupSpecs"]
    }
    assert asked == {"cpu": None, "gpu": "1"}
    assert all(group["minReplicas"] == 0 for group in cluster["workerGroupSpecs"])
    assert manifests["RayJob"]["spec"]["shutdownAfterJobFinishes"] is True


def test_only_the_weights_container_writes_to_the_node(manifests: dict[str, Manifest]) -> None:
    """Root, and write access to the node's cache, end with the container that fills it."""
    containers = [node for node in _walk(manifests["RayJob"]) if "securityContext" in node and "image" in node]
    for node in containers:
        fetches = node["name"] == "weights"
        assert (node["securityContext"]["runAsUser"] == 0) is fetches
        assert all(mount.get("readOnly", False) is not fetches for mount in node.get("volumeMounts", []))


def test_the_job_takes_its_command_line(values: Values) -> None:
    """The rendered entry point composes with conf/animate.yaml as Hydra would do it in the cluster."""
    words = shlex.split(one_run(values, DAY, 0)["spec"]["entrypoint"])
    assert words[:4] == ["python", "-m", "lp_ray", "animate"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("animate", words[4:])
    assert config.sources == "s3://bucket/manifests/2026-11-26/sources.parquet"
    assert config.cluster.address == "auto"
    assert (config.cluster.num_cpus, config.cluster.num_gpus) == (15 * 8 + 7 * 8, 8)


def test_shards_reach_the_command(tmp_path: Path) -> None:
    values = changed_values(tmp_path, schedule__shards=4)
    assert fill(command(values), DAY, 3, 4)[-1] == "shard=3/4"
    assert not any(word.startswith("shard=") for word in command(changed_values(tmp_path, schedule__shards=1)))


def test_words_stay_words(tmp_path: Path) -> None:
    """A value with blanks, quotes or shell characters is one argument of the job, never shell."""
    odd = ["output=s3://b/it's; rm -rf $HOME", "sources=a b.parquet"]
    values = changed_values(tmp_path, job__arguments=odd)
    assert shlex.split(one_run(values, DAY, 0)["spec"]["entrypoint"])[4:6] == odd


def test_the_config_map_holds_the_template(values: Values, manifests: dict[str, Manifest]) -> None:
    assert json.loads(manifests["ConfigMap"]["data"]["run.json"]) == run_template(values)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "LP"}, "name: 'LP' must be a short name"),
        ({"gpu_workers__gpus": 0}, "gpu_workers.gpus: 0 must be at least 1"),
        ({"gpu_workers__min": 9}, "gpu_workers.max: 8 must be at least gpu_workers.min, which is 9"),
        ({"cpu_workers__gpus": 1}, "cpu_workers.gpus: 1 must be 0"),
        ({"head__memory": "16 GB"}, "head.memory: '16 GB' must be a quantity"),
        ({"job__retries": "2"}, "job.retries: '2' must be int"),
        ({"job__arguments": ["a=1", 2]}, "job.arguments[1]: 2 must be a text"),
        ({"job__retry": 2}, "job.retry: no such value"),
        ({"schedule__cron": "daily"}, "schedule.cron: 'daily' must be five fields"),
        ({"schedule__shards": 0}, "schedule.shards: 0 must be 1 to 1000"),
        ({"image": "x"}, "image: 'x' must be a mapping"),
        ({"secrets__ray_token": None}, "secrets.ray_token: None must be str"),
    ],
)
def test_one_wrong_input_value_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Exception, match=re.escape(reason)):
        changed_values(tmp_path, **changes)


def test_fields_of_the_list_name_kinds_that_exist() -> None:
    """The list of KubeRay's fields is closed: every kind in it is a scalar, a core kind, or listed."""
    listed = yaml.safe_load((REPOSITORY / "deploy" / "kuberay_v1.yaml").read_text())
    assert re.fullmatch(r"v\d+\.\d+\.\d+", listed["version"])
    scalar = re.compile(r"(string|boolean|float|map|integer( \d+)?|core:\w+|\(.+\))")
    for kind, members in listed["kinds"].items():
        for name, field in members.items():
            inner = field[1:-1] if field.startswith("[") else field
            assert scalar.fullmatch(inner) or inner in listed["kinds"], f"{kind}.{name}: {field}"
