"""Pod templates of a Ray cluster: what all pods share, and what tells head and workers apart."""

from __future__ import annotations

from typing import Any

from deploy.values import Values, Workers

Manifest = dict[str, Any]

HEAD, WORKER = "ray-head", "ray-worker"
WEIGHTS = "/weights"
METRICS_PORT = 8080
GRACE_S = 120
"""Between SIGTERM and SIGKILL: as long as a job may take to put away what it has."""

USER, GROUP = 1000, 100
"""The user `ray` of Ray's images."""

# Weights are checked on every start and fetched where they are missing; one pod of a node at a time. Values reach the
# shell through the environment only.
FETCH_WEIGHTS = """
exec 9> "$WEIGHTS/.fetch.lock"
flock 9
python -m lp_ray weights verify store="$WEIGHTS" && exit 0
if [ "$WEIGHTS_ORIGIN" = hub ]; then
    exec python -m lp_ray weights pull store="$WEIGHTS" download=/tmp/weights
fi
exec python -m lp_ray weights import store="$WEIGHTS" input="$WEIGHTS_ORIGIN"
""".strip()


def head_pod(values: Values) -> Manifest:
    """The head: the driver and Ray's own processes."""
    size = {"cpu": str(values.head.cpu), "memory": values.head.memory}
    ports = [("gcs", 6379), ("dashboard", 8265), ("client", 10001)]
    return _pod(values, HEAD, size, ports, {}, [])


def worker_pod(values: Values, workers: Workers) -> Manifest:
    """A worker of a group."""
    size = {"cpu": str(workers.cpu), "memory": workers.memory}
    if workers.gpus:
        size["nvidia.com/gpu"] = str(workers.gpus)
    return _pod(values, WORKER, size, [], workers.node_selector, workers.tolerations)


def labels(values: Values) -> dict[str, str]:
    """Labels of every object."""
    return {"app.kubernetes.io/name": "lp-ray", "app.kubernetes.io/instance": values.name}


def restricted() -> Manifest:
    """A container's security context that Kubernetes' restricted standard takes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": GROUP,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pull(values: Values) -> Manifest:
    """Where a pod's image comes from, in the pod's spec."""
    secret = values.image.pull_secret
    return {"imagePullSecrets": [{"name": secret}]} if secret else {}


def container(values: Values, name: str) -> Manifest:
    """A container of our image."""
    return {
        "name": name,
        "image": values.image_name,
        "imagePullPolicy": values.image.pull_policy,
        "securityContext": restricted(),
    }


def _pod(
    values: Values,
    name: str,
    size: dict[str, str],
    ports: list[tuple[str, int]],
    node_selector: dict[str, str],
    tolerations: list[Manifest],
) -> Manifest:
    storage = values.secrets.storage
    ray = {
        **container(values, name),
        "env": [{"name": "RAY_JOB_STOP_WAIT_TIME_S", "value": str(GRACE_S - 10)}],
        "envFrom": [{"secretRef": {"name": storage}}] if storage else [],
        "ports": [{"name": n, "containerPort": p} for n, p in [*ports, ("metrics", METRICS_PORT)]],
        "resources": {"requests": size, "limits": size},  # equal: no pod lives on memory that another may claim
        "volumeMounts": [{"name": "weights", "mountPath": WEIGHTS, "readOnly": True}],
    }
    spec: Manifest = {
        "restartPolicy": "Never",  # the autoscaler replaces nodes; a restarted container would be another node
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {"fsGroup": GROUP},
        **pull(values),
        "initContainers": [_fetch_weights(values)],
        "containers": [ray],
        "volumes": [_weights_volume(values)],  # KubeRay adds the one for /dev/shm
        "nodeSelector": node_selector,
        "tolerations": tolerations,
    }
    if values.service_account:
        spec["serviceAccountName"] = values.service_account
    elif name == WORKER:  # the head's pod holds the autoscaler, which talks to the API server
        spec["automountServiceAccountToken"] = False
    scrape = {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)}
    return {"metadata": {"labels": labels(values), "annotations": scrape}, "spec": spec}


def _weights_volume(values: Values) -> Manifest:
    if values.weights.node_cache is None:
        return {"name": "weights", "emptyDir": {}}
    return {"name": "weights", "hostPath": {"path": values.weights.node_cache, "type": "DirectoryOrCreate"}}


def _fetch_weights(values: Values) -> Manifest:
    storage = values.secrets.storage
    fetch = {
        **container(values, "weights"),
        "command": ["sh", "-euc", FETCH_WEIGHTS],
        "env": [
            {"name": "WEIGHTS", "value": WEIGHTS},
            {"name": "WEIGHTS_ORIGIN", "value": values.weights.origin},
        ],
        "envFrom": [{"secretRef": {"name": storage}}] if storage else [],
        "resources": {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
        "volumeMounts": [{"name": "weights", "mountPath": WEIGHTS}],
    }
    if values.weights.node_cache is not None:
        # The kubelet makes a node's folder as root, and only root may write there: this container, and no other.
        fetch["securityContext"] = {**restricted(), "runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0}
    return fetch
