"""The parts that all entry points share: values are taken as typed, and exit codes have fixed meanings."""

from __future__ import annotations

import logging
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import hydra
from omegaconf import DictConfig

import conf
from jobs.groups import store_groups
from lp_ray.base.errors import RefusedError, StoppedError
from lp_ray.contract.options import ALIASES
from lp_ray.storage import redact

EXIT_DONE = 0
EXIT_ERROR = 1
"""The job stopped, or met errors that no input caused. Finished results stay; run the job again."""
EXIT_REFUSED = 2
"""The job refused to start: a manifest, option, credentials or weights are wrong."""
EXIT_SOME_FAILED = 3
"""The job is complete, but some pairs have a `failed` row; or some weights could not be brought into the store."""
EXIT_INTERRUPTED = 130
"""Stopped by Ctrl-C. Run the job again to make the rest."""
EXIT_TERMINATED = 143
"""Stopped by SIGTERM (an evicted pod, a reclaimed machine). Run the job again to make the rest."""

TEXT_KEYS = frozenset(
    {
        *("source", "driving", "sources", "drivings", "pairs", "output", "templates", "webhook"),
        *("input", "folder", "store", "download", "engine.weights", "resources", "detector.weights", "xpose.weights"),
    }
)
"""Settings that hold URIs. Their values are taken literally, whatever they mean in Hydra's grammar."""


def quote(argument: str) -> str:
    """Quote the value of a `key=value` argument that holds a URI, so that Hydra takes it as typed.

    The reference's names of options become ours.

    >>> quote("input=a(1).jpg")
    "input='a(1).jpg'"
    """
    key, equals, value = argument.partition("=")
    if equals and key in ALIASES:
        return f"{ALIASES[key]}={value}"
    if not equals or key.lstrip("+") not in TEXT_KEYS or value in ("", "null"):
        return argument
    literal = re.sub(r"(\\*)\$\{", lambda m: m[1] * 2 + "\\${", value)  # no OmegaConf interpolation
    literal = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), literal)
    return f"{key}='{literal}'"


def main(name: str, run: Callable[[DictConfig], int], arguments: Sequence[str] | None = None) -> NoReturn:
    """Compose conf/<name>.yaml with the command line, run the job, and exit with its code."""
    codes: list[int] = []

    def guarded(config: DictConfig) -> None:
        codes.append(EXIT_ERROR)
        codes[0] = _guard(run, config)

    store_groups()
    typed = sys.argv[1:] if arguments is None else arguments
    sys.argv = [sys.argv[0], *map(quote, typed)]
    folder = str(Path(conf.__file__).parent)
    try:
        hydra.main(version_base="1.3", config_path=folder, config_name=name)(guarded)()
    except SystemExit as stop:
        if not codes and stop.code:  # Hydra has already printed what is wrong with the command line
            sys.exit(EXIT_REFUSED)
        raise
    sys.exit(codes[0] if codes else EXIT_DONE)


class Terminated(KeyboardInterrupt):
    """SIGTERM was received. Handled like Ctrl-C, but with its own exit code."""


_received: list[int] = []


def was_terminated(stop: KeyboardInterrupt) -> bool:
    """Return whether SIGTERM caused an interruption. Ray turns any interruption into a plain KeyboardInterrupt."""
    return isinstance(stop, Terminated) or bool(_received)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    _received.append(number)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # clean-up has begun; SIGKILL still ends it at once
    raise Terminated


def _guard(run: Callable[[DictConfig], int], config: DictConfig) -> int:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return run(config)
    except StoppedError as error:
        print(f"stopped: {redact(str(error))}; finished pairs stay", file=sys.stderr)
        return EXIT_ERROR
    except RefusedError as error:
        print(f"refused: {redact(str(error))}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt as stop:
        how, code = ("terminated", EXIT_TERMINATED) if was_terminated(stop) else ("interrupted", EXIT_INTERRUPTED)
        print(f"{how}: run the same command again to do the rest", file=sys.stderr)
        return code
    except Exception:
        trace = redact(traceback.format_exc())
        logging.getLogger(__name__).error("stopped by an error; finished pairs stay, run the command again\n%s", trace)
        return EXIT_ERROR
