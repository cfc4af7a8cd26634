"""What people type on a command line, as `key=value` settings: LivePortrait's flags, and what shells' habits add.

LivePortrait's own command is typed `-s a.jpg -d b.mp4 --flag-crop-driving-video --no-flag-stitching`; the same words
are understood here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest
from lp_ray.contract.options import ALIASES, PairOptions

SHORT = {"s": "source", "d": "driving", "o": "output"}
NAMES = {**ALIASES, "output_dir": "output", "driving_start_s": "start_s", "driving_end_s": "end_s"}

ELSEWHERE = {
    "flag_use_half_precision": "engine.precision=float16",
    "flag_force_cpu": "engine.device=cpu",
    "device_id": "engine.device=cuda",
    "flag_do_torch_compile": "nothing: on a GPU, half precision is compiled (docs/performance.md)",
    "flag_write_result": "nothing: results are always written",
    "flag_write_gif": "format=gif",
    "det_thresh": "nothing: it is fixed at 0.15 (docs/options.md)",
}
"""Flags of the reference that are settings of another name and other values here -> what to type."""

_FLAG = re.compile(r"--?[A-Za-z][\w-]*")
_NEGATION = "no_"


def as_settings(typed: Sequence[str]) -> list[str]:
    """Return a command line as `key=value` arguments.

    `--key value`, `--key=value`, `-s value` and, for options that are true or false, `--key` and `--no-key` become
    settings; what is a setting already stays. Raises RefusedError for a word that is neither, with the remedy.
    """
    settings: list[str] = []
    words = list(typed)
    while words:
        word = words.pop(0)
        head, equals, value = word.partition("=")
        if _FLAG.fullmatch(head):
            settings.append(_setting(head, value if equals else None, words))
        elif equals:
            settings.append(f"{NAMES.get(head, head)}={value}")
        else:
            raise RefusedError(_stray(word, settings))
    return settings


def _setting(flag: str, value: str | None, rest: list[str]) -> str:
    """Turn one flag into a setting; its value may be the next word, which is taken from `rest` then."""
    name = _name(flag)
    if name in ELSEWHERE:
        raise RefusedError(f"{flag}: type {ELSEWHERE[name]}")
    if value is None and name.startswith(_NEGATION) and _is_switch(name.removeprefix(_NEGATION)):
        return f"{name.removeprefix(_NEGATION)}=false"
    if value is None and _is_switch(name):
        return f"{name}={rest.pop(0) if rest and rest[0] in ('true', 'false') else 'true'}"
    if value is None:
        if not rest or _FLAG.fullmatch(rest[0].partition("=")[0]):
            raise RefusedError(f"{flag} needs a value: type {name}=…")
        value = rest.pop(0)
    return f"{name}={value}"


def _name(flag: str) -> str:
    name = flag.lstrip("-").replace("-", "_")
    if not flag.startswith("--"):
        name = SHORT.get(name, name)
    negation = _NEGATION if name.startswith(_NEGATION) else ""
    name = name.removeprefix(negation)
    return negation + NAMES.get(name, name)


def _is_switch(name: str) -> bool:
    """Whether a setting is true or false."""
    return isinstance(getattr(PairOptions(), name, None), bool) or name in ("dry_run", "update", "webhook_private")


def _stray(word: str, before: Sequence[str]) -> str:
    if word.startswith("-"):
        return f"{word} is no setting: settings are typed key=value (see --help)"
    if before and before[-1].endswith("="):
        return f"a space is left after {before[-1]!r}: type {before[-1]}{word}"
    return f"{word!r} is no setting: settings are typed key=value, such as source={word} (see --help)"


def check_keys(settings: Sequence[str], known: Collection[str], groups: Mapping[str, Collection[str]]) -> None:
    """Raise RefusedError for a setting that there is not, or a choice that there is not, with the nearest ones.

    `known` are all settings, with a dot between a group's name and its own; `groups` maps settings that choose a file
    or a plugin to what they may be.
    """
    for setting in settings:
        typed, _, value = setting.partition("=")
        key = typed.lstrip("+~")
        if key in groups:
            if value not in groups[key]:
                near = nearest(value, groups[key])
                raise RefusedError(f"{key}={value} must be one of {', '.join(sorted(groups[key]))}{near}")
        elif key not in known:
            raise RefusedError(f"{key}=… is no setting{nearest(key, known)} (--help lists them)")
        elif typed != key:
            raise RefusedError(f"{setting}: type {key}={value}: settings are neither added nor taken away")
