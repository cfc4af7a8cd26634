"""The CronJob's pod: which RayJob it asks for, and what it makes of the API server's answers.

The server here is a stand-in: it speaks HTTPS with the paths and status codes of Kubernetes' API and keeps RayJobs in a
list. No kube-apiserver can be had from a package registry; what is posted to it is checked by deploy.check.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.check import problems
from deploy.manifests import run_template
from deploy.values import DEFAULT_VALUES, load_values
from jobs.scheduled import ApiServer, make_run, scheduled_time, start
from lp_ray.base.errors import LpRayError, RefusedError

REPOSITORY = Path(__file__).resolve().parents[2]
MOMENT = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)
JOB_NAME = f"lp-ray-scheduler-{int(MOMENT.timestamp()) // 60}"
TOKEN = "the-account's-token"
PATH = "/apis/ray.io/v1/namespaces/lp-ray/rayjobs"

Manifest = dict[str, Any]


@dataclass
class Cluster:
    """What the stand-in knows: the RayJobs there are, and the status it fails with, if any."""

    account: Path
    port: int = 0
    jobs: list[Manifest] = field(default_factory=list)
    failure: int = 0

    @property
    def server(self) -> ApiServer:
        return ApiServer.of_this_pod(self.environment, self.account)

    @property
    def environment(self) -> dict[str, str]:
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}


class Handler(BaseHTTPRequestHandler):
    """Answers for the cluster of its server."""

    @property
    def cluster(self) -> Cluster:
        cluster: Cluster = self.server.cluster  # type: ignore[attr-defined]
        return cluster

    def _answer(self, status: int, body: Manifest) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _refused(self) -> bool:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Unauthorized"})
            return True
        if self.cluster.failure:
            self._answer(self.cluster.failure, {"message": "the server says no"})
        return bool(self.cluster.failure)

    def do_GET(self) -> None:
        if self._refused():
            return
        query = parse_qs(urlparse(self.path).query)["labelSelector"][0]
        wanted = dict(pair.split("=") for pair in query.split(","))
        items = [job for job in self.cluster.jobs if wanted.items() <= job["metadata"]["labels"].items()]
        self._answer(200, {"items": items})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refused():
            return
        if self.path != PATH:
            self._answer(404, {"message": "not found"})
        elif body["metadata"]["name"] in [job["metadata"]["name"] for job in self.cluster.jobs]:
            self._answer(409, {"message": "already exists"})
        else:
            self.cluster.jobs.append(body)
            self._answer(201, body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test's output clean."""


def _write_certificate(account: Path) -> None:
    """A certificate of 127.0.0.1, good for an hour, as the cluster's own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    signed = builder.sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (account / "ca.crt").write_bytes(signed.public_bytes(pem))
    (account / "key.pem").write_bytes(key.private_bytes(pem, plain, serialization.NoEncryption()))
    (account / "token").write_text(TOKEN + "\n")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    _write_certificate(tmp_path)
    cluster = Cluster(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.cluster = cluster  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.crt", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    cluster.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield cluster
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def template() -> Manifest:
    """What deploy/ renders into the ConfigMap; its command names {date}."""
    return run_template(load_values(DEFAULT_VALUES))


@pytest.fixture
def growing(template: Manifest) -> Manifest:
    """The same for a manifest that grows: no {date}."""
    return {**template, "command": [word.replace("{date}", "all") for word in template["command"]]}


def test_the_run_follows_from_its_schedule(template: Manifest) -> None:
    """Name, day and shard come from the Job's name, and the result is a RayJob that KubeRay would take."""
    template |= {"shards": 4, "command": [*template["command"], "shard={shard}/{shards}"]}
    job = make_run(template, scheduled_time(JOB_NAME), 3)
    assert job["metadata"]["name"] == "lp-ray-20261126-0230-3"
    assert job["metadata"]["labels"]["lp-ray/shard"] == "3"
    assert "manifests/2026-11-26/sources.parquet" in job["spec"]["entrypoint"]
    assert job["spec"]["entrypoint"].endswith(" shard=3/4")
    assert problems(job) == []
    assert template["rayjob"]["spec"]["entrypoint"] == ""


def test_the_day_is_that_of_the_time_zone(template: Manifest) -> None:
    """02:30 UTC is still the day before in New York."""
    job = make_run({**template, "time_zone": "America/New_York"}, MOMENT, 0)
    assert "manifests/2026-11-25/" in job["spec"]["entrypoint"]


def test_the_longest_name_is_one_that_kuberay_takes(template: Manifest) -> None:
    template["rayjob"]["metadata"]["name"] = "n" * 29
    job = make_run(template, MOMENT, 999)
    assert len(job["metadata"]["name"]) == 47
    assert problems(job) == []


def test_a_pod_tried_again_starts_nothing_twice(cluster: Cluster, template: Manifest) -> None:
    assert start(template, cluster.server, MOMENT, 0) == "lp-ray-20261126-0230-0: started"
    assert start(template, cluster.server, MOMENT, 0) == "lp-ray-20261126-0230-0: is there already"
    assert len(cluster.jobs) == 1


def test_a_growing_manifest_waits_for_its_last_run(cluster: Cluster, growing: Manifest) -> None:
    """While a shard's run goes on, no second one starts for it. Other shards start, and this shard's next run after the
    end."""
    start(growing, cluster.server, MOMENT, 0)
    cluster.jobs[0]["status"] = {"jobDeploymentStatus": "Running"}
    later = MOMENT + timedelta(hours=1)
    said = start(growing, cluster.server, later, 0)
    assert said == "lp-ray-20261126-0330-0: not started, lp-ray-20261126-0230-0 still works on shard 0"
    assert start(growing, cluster.server, later, 1).endswith("started")
    cluster.jobs[0]["status"] = {"jobDeploymentStatus": "Failed"}
    assert start(growing, cluster.server, later, 0).endswith("started")


def test_each_days_manifest_gets_its_run(cluster: Cluster, template: Manifest) -> None:
    """A run with its own manifest starts even if yesterday's run is still going on."""
    start(template, cluster.server, MOMENT, 0)
    assert start(template, cluster.server, MOMENT + timedelta(days=1), 0).endswith("started")
    assert len(cluster.jobs) == 2


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (403, RefusedError, "its Role must allow rayjobs: create, list"),
        (404, RefusedError, "is the KubeRay operator installed"),
        (422, RefusedError, "render deploy/ anew"),
        (503, LpRayError, r"cannot create RayJobs now \(503: the server says no\)"),
    ],
)
def test_a_refusal_says_what_to_do(
    cluster: Cluster, template: Manifest, status: int, kind: type[Exception], reason: str
) -> None:
    cluster.failure = status
    with pytest.raises(kind, match=reason) as caught:
        start(template, cluster.server, MOMENT, 0)
    assert isinstance(caught.value, RefusedError) == (kind is RefusedError)


def test_another_authority_is_not_trusted(cluster: Cluster, template: Manifest, tmp_path: Path) -> None:
    """The token is not sent to a server that the cluster's certificate does not vouch for."""
    server = cluster.server
    other = tmp_path / "other"
    other.mkdir()
    _write_certificate(other)
    with pytest.raises(ssl.SSLCertVerificationError):
        start(template, ApiServer(server.host, server.port, server.token, other / "ca.crt"), MOMENT, 0)


@pytest.mark.parametrize("name", ["lp-ray-scheduler", "lp-ray-scheduler-x", ""])
def test_a_name_without_minutes_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="start it through the CronJob"):
        scheduled_time(name)


def test_outside_a_pod_the_command_is_refused(tmp_path: Path, template: Manifest) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps(template))
    ended = subprocess.run(
        [sys.executable, "-m", "jobs.scheduled", f"template={file}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert ended.returncode == 2
    assert "not in a pod with a service account" in ended.stderr
