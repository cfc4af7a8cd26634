"""Ray clusters of a test's own: own ports, own token, own folder, nothing left behind.

Ray's sockets lie in the folder and their paths may have 107 bytes, so it is a short one under /tmp.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import ray
from ray._private.authentication_test_utils import reset_auth_token_state
from ray.cluster_utils import Cluster

REPOSITORY = Path(__file__).resolve().parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
JOB_TIMEOUT_S = 300.0


def free_ports(n: int) -> list[int]:
    """Return ports of the loopback address that nobody listens on."""
    with ExitStack() as stack:  # all held at once, so that no two are the same
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


@dataclass(frozen=True)
class Ended:
    """How a command ended, with all it printed."""

    code: int
    output: str


class Home:
    """The folder of a cluster, and the environment that leads Ray's commands to it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lpr", dir="/tmp"))
        self.token = secrets.token_hex(32)
        path = self.folder / "token"
        path.touch(mode=0o600)
        path.write_text(self.token)
        self.environment = {
            "RAY_TMPDIR": str(self.folder),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(path),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_JOB_STOP_WAIT_TIME_S": "240",
            "RAY_metrics_report_interval_ms": "1000",
            "PYTHONPATH": str(REPOSITORY),
        }

    def processes(self) -> list[psutil.Process]:
        """Those of this cluster: Ray puts the folder into their command lines."""
        everyone = psutil.process_iter(["cmdline"])
        return [p for p in everyone if any(str(self.folder) in word for word in p.info["cmdline"] or ())]

    def remove(self) -> None:
        """End what is left, and say so: a cluster that was stopped leaves nothing."""
        _, left = psutil.wait_procs(self.processes(), timeout=STOP_TIMEOUT_S / 4)
        names = [" ".join(process.cmdline())[:100] for process in left if process.is_running()]
        for process in left:
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not names, f"left running: {names}"


class Jobs:
    """Submits jobs to a cluster as its user does: with `ray job submit`, from an empty directory."""

    def __init__(self, dashboard: str, home: Home) -> None:
        self.dashboard = dashboard
        self._home = home

    def submit(
        self, *command: str, submission_id: str | None = None, no_wait: bool = False, **environment: str
    ) -> Ended:
        """Run `ray job submit … -- command` and wait for the job's end, unless `no_wait`."""
        name = ["--submission-id", submission_id] if submission_id else []
        return self._run(["submit", *name, *(["--no-wait"] if no_wait else [])], ["--", *command], environment)

    def stop(self, submission_id: str) -> Ended:
        """Run `ray job stop`, which waits for the job's end."""
        return self._run(["stop"], [submission_id], {})

    def _run(self, verb: list[str], words: list[str], environment: dict[str, str]) -> Ended:
        empty = self._home.folder / "empty"
        empty.mkdir(exist_ok=True)
        ended = subprocess.run(
            [RAY, "job", verb[0], "--address", self.dashboard, *verb[1:], *words],
            cwd=empty,
            env={**os.environ, **self._home.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=JOB_TIMEOUT_S,
            check=False,
        )
        assert not list(empty.iterdir())
        return Ended(ended.returncode, ended.stdout)

    def get(self, path: str, token: str | None = None) -> Any:
        """Return what the dashboard answers to a GET, as JSON. Raises urllib's HTTPError."""
        headers = {"Authorization": f"Bearer {self._home.token if token is None else token}"}
        request = urllib.request.Request(self.dashboard + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


class HeadProcess:
    """A head as `ray start --head` starts it, in its own session. `stop()` sends the signal that an eviction sends."""

    def __init__(self, cpus: int, gpus: int = 0) -> None:
        self.home = Home()
        ports = free_ports(4)
        self.gcs = f"127.0.0.1:{ports[0]}"
        self.metrics_port = ports[3]
        self.jobs = Jobs(f"http://127.0.0.1:{ports[1]}", self.home)
        command = [
            *(RAY, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={ports[0]}"),
            *(
                "--dashboard-host=127.0.0.1",
                f"--dashboard-port={ports[1]}",
                f"--dashboard-agent-listen-port={ports[2]}",
            ),
            *(f"--metrics-export-port={ports[3]}", f"--num-cpus={cpus}", f"--num-gpus={gpus}"),
            *("--disable-usage-stats", f"--temp-dir={self.home.folder / 'r'}", f"--object-store-memory={200 << 20}"),
        ]
        self._log = self.home.folder / "head.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.home.folder,
                env={**os.environ, **self.home.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.jobs.get("/api/jobs/")
                return
            except (OSError, ValueError):
                time.sleep(0.25)
        log = self._log.read_text(errors="replace")[-3000:]
        self.stop()
        raise RuntimeError(f"no head came up:\n{log}")

    def stop(self) -> None:
        """SIGTERM, then wait; whatever stays is killed and is a failure."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.home.remove()


class LocalCluster:
    """Several nodes on this machine with the CPUs and GPUs they are told to have, token authentication on.

    Uses `ray.cluster_utils.Cluster` in this process: its environment must be `home.environment` until `stop()`.
    """

    def __init__(self, home: Home, cpus: int, gpus: int) -> None:
        self.home = home
        reset_auth_token_state()  # this process may have had another cluster's token
        self._dashboard_port, agent = free_ports(2)
        head = {
            "include_dashboard": True,
            "dashboard_host": "127.0.0.1",
            "dashboard_port": self._dashboard_port,
            "dashboard_agent_listen_port": agent,
        }
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "num_gpus": gpus, **head})
        self.jobs = Jobs(f"http://127.0.0.1:{self._dashboard_port}", home)

    @property
    def address(self) -> str:
        """What `ray.init(address=…)` takes, and RAY_ADDRESS."""
        address: str = self._cluster.address
        return address

    def add_node(self, cpus: int, gpus: int = 0) -> Any:
        """Start a node and wait until the cluster knows it; the answer is what `remove_node` takes."""
        node = self._cluster.add_node(num_cpus=cpus, num_gpus=gpus)
        self._cluster.wait_for_nodes(START_TIMEOUT_S)
        return node

    def remove_node(self, node: Any, kill: bool = False) -> None:
        """Take a node away: with notice, or as when its power is cut."""
        self._cluster.remove_node(node, allow_graceful=not kill)

    def connect(self) -> None:
        """Make this process a driver of the cluster."""
        ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")

    def stop(self) -> None:
        """End every process of the cluster, and disconnect."""
        ray.shutdown()
        self._cluster.shutdown()
