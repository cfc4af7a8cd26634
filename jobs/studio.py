"""Serve a page to animate, edit and look: `lp-ray studio`, then open the address that it prints."""

from __future__ import annotations

import ipaddress
import signal
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from lp_ray.base.declared import spec_of
from lp_ray.base.errors import RefusedError
from lp_ray.base.extras import check_part
from lp_ray.engine.factory import ENGINES
from lp_ray.engine.protocol import EngineSpec

from .cli import main
from .exit_codes import EXIT_DONE
from .numbers import number, whole
from .setup import plain

if TYPE_CHECKING:
    from lp_ray.studio.shared import Place

MOST_MB = 2000


def run(config: DictConfig) -> int:
    """Serve until somebody stops it."""
    check_part("studio", "lp-ray studio")
    most = number("upload_mb", config.upload_mb, 0, MOST_MB, above=True)
    host, port, auth = address(config)
    output = Path(str(config.output)).expanduser().resolve()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lp_ray-studio-") as scratch:
        from lp_ray.studio.serve import serve  # gradio takes seconds to import

        served = serve(config_of(config, output, Path(scratch), auth is None), host, port, auth, int(most * 1e6))
        print(f"studio: {served.address} (outputs in {output}; Ctrl-C ends it)", flush=True)
        stop = threading.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: stop.set())
        stop.wait()
        served.close()
    return EXIT_DONE


def config_of(config: DictConfig, output: Path, scratch: Path, alone: bool) -> Place:
    """Return where the studio works, and with which engine. Raises RefusedError for an unknown one."""
    from lp_ray.studio.shared import Place  # gradio takes seconds to import

    values = plain(config.engine)
    spec = spec_of(EngineSpec, values)
    ENGINES.get(spec.name)
    command = [f"engine={spec.name}", *(f"engine.{name}={value}" for name, value in values.items() if name != "name")]
    return Place(output, scratch, spec, tuple(command), alone=alone)


def address(config: DictConfig) -> tuple[str, int, tuple[str, str] | None]:
    """Return host, port, and the name and password that the page asks for. Raises RefusedError.

    Whoever reaches the page uses this machine: any host but this one needs a password.
    """
    host, port, given = str(config.host), whole("port", config.port, 0, 65535), config.password
    name, _, password = str(given or "").partition(":")
    if given and (not name or len(password) < 8):
        raise RefusedError("password must be name:password, with 8 characters or more in the password")
    if not given and not is_this_machine(host):
        raise RefusedError(f"host={host} can be reached from elsewhere: set password=name:password, or leave host out")
    if port and not is_free(host, port):
        raise RefusedError(f"port={port} is in use: choose another, or port=0 for any that is free")
    return host, port, (name, password) if given else None


def is_this_machine(host: str) -> bool:
    """Whether an address leads to this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_free(host: str, port: int) -> bool:
    """Whether a port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main("studio", run)
