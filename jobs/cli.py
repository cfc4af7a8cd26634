"""What every command shares: settings are composed, typed values are taken as typed, and exit codes mean something."""

from __future__ import annotations

import logging
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lp_ray.base.errors import RefusedError, StoppedError
from lp_ray.base.extras import lacking
from lp_ray.storage import redact

from .exit_codes import EXIT_DONE, EXIT_ERROR, EXIT_INTERRUPTED, EXIT_REFUSED, EXIT_TERMINATED
from .flags import as_settings, check_keys
from .groups import store_groups
from .help import CONF, answer

TEXT_KEYS = frozenset(
    {
        *("source", "driving", "sources", "drivings", "pairs", "output", "templates", "webhook", "edit", "decisions"),
        *("provenance_certificate", "provenance_key", "metrics_arcface", "sound"),
        *("where", "split", "to", "name", "contact", "licence", "selection"),
        *("json", "template", "password", "revision"),
        *("input", "folder", "store", "download", "engine.weights", "resources", "detector.weights", "xpose.weights"),
    }
)
"""Settings that hold URIs, names, conditions and splits. Their values are taken literally, whatever they mean in
Hydra's grammar."""


def quote(argument: str) -> str:
    """Quote the value of a `key=value` argument that holds a URI, so that Hydra takes it as typed.

    >>> quote("input=a(1).jpg")
    "input='a(1).jpg'"
    """
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in TEXT_KEYS or value in ("", "null"):
        return argument
    literal = re.sub(r"(\\*)\$\{", lambda m: m[1] * 2 + "\\${", value)  # no OmegaConf interpolation
    literal = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), literal)
    return f"{key}='{literal}'"


def main(name: str, run: Callable[[DictConfig], int], arguments: Sequence[str] | None = None) -> NoReturn:
    """Compose conf/<name>.yaml with the command line, run the job, and exit with its code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if (said := answer(name, typed)) is not None:
        print(said)
        sys.exit(EXIT_DONE)
    try:
        config = composed(name, typed)
    except RefusedError as error:
        print(f"refused: {redact(str(error))}", file=sys.stderr)
        sys.exit(EXIT_REFUSED)
    if "--cfg" in typed:
        print(OmegaConf.to_yaml(config), end="")
        sys.exit(EXIT_DONE)
    sys.exit(_guard(run, config))


def composed(name: str, typed: Sequence[str]) -> DictConfig:
    """Return a command's settings: those of its file in conf/, and what was typed.

    Raises RefusedError for a setting or a choice that there is not, and for a value that cannot be read.
    """
    settings = as_settings([word for word in typed if word != "--cfg"])
    for setting in settings:
        _check_value(setting)
    store_groups()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        groups = _groups()
        named = [setting for setting in settings if setting.partition("=")[0].lstrip("+~") in groups]
        check_keys(named, (), groups)
        plain = _compose(name, named)
        check_keys(settings, _keys(plain), {group: groups[group] for group in groups if group in plain})
        return _compose(name, [quote(setting) for setting in settings]) if settings != named else plain


def _check_value(setting: str) -> None:
    try:
        OverridesParser.create().parse_override(quote(setting))
    except HydraException as error:
        reason = str(error).partition("\n")[0]
        raise RefusedError(f"{setting}: the value cannot be read ({reason}): put text with signs in quotes") from error


def _compose(name: str, overrides: list[str]) -> DictConfig:
    try:
        return compose(name, overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise RefusedError(" ".join(str(error).split())) from error


def _groups() -> dict[str, tuple[str, ...]]:
    """Return what may be chosen for each setting that chooses a file in conf/ or a plugin."""
    loader = GlobalHydra.instance().config_loader()
    stored = ConfigStore.instance().repo
    chosen = {
        *(path.name for path in CONF.iterdir() if path.is_dir()),
        *(n for n in stored if isinstance(stored[n], dict)),
    }
    return {name: tuple(loader.get_group_options(name)) for name in chosen - {"hydra", "__pycache__"}}


def _keys(config: DictConfig, parent: str = "") -> set[str]:
    """Return every setting, those of groups with the group's name and a dot before them."""
    keys: set[str] = set()
    for key in map(str, config):
        name = f"{parent}{key}"
        keys.add(name)
        if OmegaConf.is_dict(config._get_node(key)):
            keys |= _keys(config[key], f"{name}.")
    return keys


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
    except Exception as error:
        if (refusal := lacking(error, "this")) is not None:
            print(f"refused: {refusal}", file=sys.stderr)
            return EXIT_REFUSED
        trace = redact(traceback.format_exc())
        logging.getLogger(__name__).error("stopped by an error; finished pairs stay, run the command again\n%s", trace)
        return EXIT_ERROR
