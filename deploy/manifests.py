"""The manifests: a RayJob for one run, and a CronJob with its rights that creates such RayJobs on a schedule."""

from __future__ import annotations

import json
import shlex
from datetime import date
from typing import Any

from deploy.pods import Manifest, container, head_pod, labels, pull, worker_pod
from deploy.values import Values, Workers, ray_version
from jobs.scheduled import fill

TEMPLATE_FOLDER, TEMPLATE_FILE = "/etc/lp-ray", "run.json"
SUBMITTER = "ray-job-submitter"


def ray_cluster(values: Values) -> Manifest:
    """The cluster that one run gets: it grows from its head alone, and goes when the run ends."""
    return {
        "rayVersion": ray_version(),
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "version": "v2",
            "idleTimeoutSeconds": values.idle_s,
            "upscalingMode": "Default",
            "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        },
        "authOptions": {"mode": "token", "secretName": values.secrets.ray_token},
        "headGroupSpec": {
            # No CPUs: no actor is placed here. The dashboard asks for the token.
            "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104
            "template": head_pod(values),
        },
        "workerGroupSpecs": [
            _group(values, "cpu", values.cpu_workers),
            _group(values, "gpu", values.gpu_workers),
        ],
    }


def command(values: Values) -> list[str]:
    """The job's command line, {date} and {shard} still to be filled in.

    A cluster that starts from zero has no CPUs and GPUs to count: the job is told what it may grow to.
    """
    cpus = sum(group.cpu * group.max for group in (values.cpu_workers, values.gpu_workers))
    gpus = values.gpu_workers.gpus * values.gpu_workers.max
    cluster = ["cluster=auto", f"cluster.num_cpus={cpus}", f"cluster.num_gpus={gpus}"]
    shard = ["shard={shard}/{shards}"] if values.schedule.shards > 1 else []
    return ["python", "-m", "lp_ray", "animate", *values.job.arguments, *cluster, *shard]


def ray_job(values: Values) -> Manifest:
    """A run without its command."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": values.name, "namespace": values.namespace, "labels": labels(values)},
        "spec": {
            "entrypoint": "",
            "submissionMode": "K8sJobMode",
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": values.job.keep_s,
            "activeDeadlineSeconds": values.job.deadline_s,
            "backoffLimit": values.job.retries,
            "submitterPodTemplate": _submitter(values),
            "rayClusterSpec": ray_cluster(values),
        },
    }


def one_run(values: Values, day: date, shard: int) -> Manifest:
    """The RayJob of one run, to be created by hand."""
    job = ray_job(values)
    job["spec"]["entrypoint"] = shlex.join(fill(command(values), day, shard, values.schedule.shards))
    return job


def schedule(values: Values) -> list[Manifest]:
    """Everything that a schedule needs: an account that may create RayJobs, the run's template, the CronJob."""
    name = f"{values.name}-scheduler"
    meta = {"name": name, "namespace": values.namespace, "labels": labels(values)}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    rules = [{"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create", "list"]}]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": values.namespace}],
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta,
            "data": {TEMPLATE_FILE: json.dumps(run_template(values), indent=1)},
        },
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": _cron_spec(values, name)},
    ]


def run_template(values: Values) -> Manifest:
    """What `lp-ray scheduled` makes a run of."""
    return {
        "rayjob": ray_job(values),
        "command": command(values),
        "shards": values.schedule.shards,
        "time_zone": values.schedule.time_zone,
    }


def _group(values: Values, name: str, workers: Workers) -> Manifest:
    return {
        "groupName": name,
        "replicas": workers.min,
        "minReplicas": workers.min,
        "maxReplicas": workers.max,
        "rayStartParams": {},
        "template": worker_pod(values, workers),
    }


def _submitter(values: Values) -> Manifest:
    """The pod that hands the job to the cluster and follows its log; it has the token, and nothing else."""
    token = {"secretKeyRef": {"name": values.secrets.ray_token, "key": "auth_token"}}
    submitter = {
        **container(values, SUBMITTER),
        "env": [{"name": "RAY_AUTH_MODE", "value": "token"}, {"name": "RAY_AUTH_TOKEN", "valueFrom": token}],
        "resources": _small(),
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        **pull(values),
        "containers": [submitter],
    }
    return {"metadata": {"labels": labels(values)}, "spec": spec}


def _cron_spec(values: Values, account: str) -> Manifest:
    """One Job per run, one pod per shard; each pod creates a RayJob and is done."""
    starter = {
        **container(values, "start"),
        "command": ["python", "-m", "lp_ray", "scheduled", f"template={TEMPLATE_FOLDER}/{TEMPLATE_FILE}"],
        "env": [_field("JOB_NAME", "metadata.labels['batch.kubernetes.io/job-name']")],
        "resources": _small(),
        "volumeMounts": [{"name": "run", "mountPath": TEMPLATE_FOLDER, "readOnly": True}],
    }
    pod = {
        "restartPolicy": "OnFailure",
        "serviceAccountName": account,
        **pull(values),
        "containers": [starter],
        "volumes": [{"name": "run", "configMap": {"name": account}}],
    }
    return {
        "schedule": values.schedule.cron,
        "timeZone": values.schedule.time_zone,
        "concurrencyPolicy": "Allow",  # starting is short; that runs do not meet is jobs.scheduled's and the job's care
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "spec": {
                "completionMode": "Indexed",
                "completions": values.schedule.shards,
                "parallelism": values.schedule.shards,
                "backoffLimit": 6,
                "activeDeadlineSeconds": 3600,
                "template": {"metadata": {"labels": labels(values)}, "spec": pod},
            }
        },
    }


def _field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _small() -> dict[str, Any]:
    return {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
