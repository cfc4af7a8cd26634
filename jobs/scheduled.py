"""Start one scheduled run as a RayJob: `lp-ray scheduled template=…`, in the pods of deploy/'s CronJob.

The RayJob's name and command depend only on the scheduled time and the shard, never on the time at which the pod
starts. So a pod that is started again asks for the same RayJob; if that exists already, this counts as success.
"""

from __future__ import annotations

import copy
import http.client
import json
import os
import shlex
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from omegaconf import DictConfig

from lp_ray.base.errors import LpRayError, RefusedError

from .cli import main
from .exit_codes import EXIT_DONE
from .setup import required

SHARD_LABEL = "lp-ray/shard"
ENDED = ("Complete", "Failed")
"""Values of a RayJob's `status.jobDeploymentStatus` that mean that it has ended."""

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S = 30.0

Manifest = dict[str, Any]


@dataclass(frozen=True)
class ApiServer:
    """Kubernetes' API server, as a pod reaches it."""

    host: str
    port: int
    token: str
    certificates: Path

    @classmethod
    def of_this_pod(cls, environment: Mapping[str, str], account: Path = ACCOUNT) -> ApiServer:
        """Return the API server from the variables and files that Kubernetes gives every pod. Raises RefusedError
        outside a pod."""
        try:
            host, port = environment["KUBERNETES_SERVICE_HOST"], int(environment["KUBERNETES_SERVICE_PORT"])
            return cls(host, port, (account / "token").read_text(), account / "ca.crt")
        except (KeyError, OSError) as error:
            raise RefusedError(
                f"not in a pod with a service account ({error}): deploy/ sets this command up"
            ) from error

    def rayjobs(self, namespace: str, selector: str) -> list[Manifest]:
        """Return the RayJobs that match a label selector."""
        status, answer = self._ask("GET", f"{_path(namespace)}?{urlencode({'labelSelector': selector})}")
        if status != http.client.OK:
            raise _trouble("list", status, answer)
        items: list[Manifest] = answer["items"]
        return items

    def create_rayjob(self, namespace: str, job: Manifest) -> bool:
        """Create a RayJob. Return False if one of the same name exists."""
        status, answer = self._ask("POST", _path(namespace), job)
        if status == http.client.CONFLICT:
            return False
        if status != http.client.CREATED:
            raise _trouble("create", status, answer)
        return True

    def _ask(self, method: str, path: str, body: Manifest | None = None) -> tuple[int, Manifest]:
        context = ssl.create_default_context(cafile=str(self.certificates))
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT_S, context=context)
        headers = {"Authorization": f"Bearer {self.token.strip()}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {"message": text.decode(errors="replace")[:200]}


def _path(namespace: str) -> str:
    return f"/apis/ray.io/v1/namespaces/{namespace}/rayjobs"


def _trouble(verb: str, status: int, answer: Manifest) -> LpRayError:
    """Return RefusedError for what a person has to fix, LpRayError for what the CronJob can retry."""
    said = answer.get("message", "")
    remedies: dict[int, str] = {
        http.client.FORBIDDEN: "its Role must allow rayjobs: create, list (deploy/ renders one)",
        http.client.NOT_FOUND: "is the KubeRay operator installed in this cluster?",
        http.client.UNPROCESSABLE_ENTITY: "render deploy/ anew for this KubeRay",
    }
    if status in remedies:
        return RefusedError(f"cannot {verb} RayJobs ({status}: {said}): {remedies[status]}")
    return LpRayError(f"cannot {verb} RayJobs now ({status}: {said})")


def scheduled_time(job_name: str) -> datetime:
    """Return the time (UTC) for which a CronJob's Job was scheduled: its name ends in minutes since 1970.

    Source: Kubernetes' cronjob controller, getJobName.
    """
    minutes = job_name.rpartition("-")[2]
    if not minutes.isdigit():
        raise RefusedError(f"JOB_NAME={job_name!r} does not end in a CronJob's minutes: start it through the CronJob")
    return datetime.fromtimestamp(int(minutes) * 60, UTC)


def fill(command: Sequence[str], day: date, shard: int, shards: int) -> list[str]:
    """Replace {date}, {shard} and {shards} in the words of a command."""
    facts = {"{date}": day.isoformat(), "{shard}": str(shard), "{shards}": str(shards)}
    words = list(command)
    for name, value in facts.items():
        words = [word.replace(name, value) for word in words]
    return words


def make_run(template: Manifest, moment: datetime, shard: int) -> Manifest:
    """Return the RayJob of one shard of the run scheduled for `moment`."""
    day = moment.astimezone(ZoneInfo(template["time_zone"])).date()
    job: Manifest = copy.deepcopy(template["rayjob"])
    job["metadata"]["name"] += f"-{moment:%Y%m%d-%H%M}-{shard}"
    job["metadata"]["labels"][SHARD_LABEL] = str(shard)
    job["spec"]["entrypoint"] = shlex.join(fill(template["command"], day, shard, template["shards"]))
    return job


def still_running(jobs: Sequence[Manifest]) -> list[str]:
    """Return the names of the RayJobs that have not ended."""
    return [job["metadata"]["name"] for job in jobs if job.get("status", {}).get("jobDeploymentStatus") not in ENDED]


def start(template: Manifest, server: ApiServer, moment: datetime, shard: int) -> str:
    """Create the run's RayJob and return a line that reports it.

    A command without {date} works on a manifest that grows. If an earlier run of the shard is still at work, no run is
    started, because the next run makes what is new. With {date}, each run has its own manifest, so every run is
    started.
    """
    job = make_run(template, moment, shard)
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    if not any("{date}" in word for word in template["command"]):
        instance = job["metadata"]["labels"]["app.kubernetes.io/instance"]
        selector = f"app.kubernetes.io/instance={instance},{SHARD_LABEL}={shard}"
        if earlier := [other for other in still_running(server.rayjobs(namespace, selector)) if other != name]:
            return f"{name}: not started, {earlier[0]} still works on shard {shard}"
    return f"{name}: {'started' if server.create_rayjob(namespace, job) else 'is there already'}"


def run(config: DictConfig) -> int:
    """Start the run for which this pod was created."""
    template = json.loads(Path(required(config, "template")).read_text())
    server = ApiServer.of_this_pod(os.environ)
    try:
        job_name, shard = os.environ["JOB_NAME"], int(os.environ["JOB_COMPLETION_INDEX"])
    except KeyError as error:
        raise RefusedError(f"{error} is not set: start it through the CronJob") from error
    print(start(template, server, scheduled_time(job_name), shard))
    return EXIT_DONE


if __name__ == "__main__":
    main("scheduled", run)
