"""Write docs/api.md, the page of what is public, from docstrings: `python -m scripts.api_page`. A test compares."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lp_ray
from lp_ray.base import errors
from lp_ray.base.registry import Registry
from lp_ray.engine.protocol import (
    Engine,
    EngineIdentity,
    EnginePlugin,
    EngineSpec,
    Frames,
    PairMotion,
    SourceCrops,
    Span,
)
from lp_ray.face.protocol import Face, Landmarker, LandmarkerIdentity, LandmarkerPlugin, LandmarkerSpec
from lp_ray.media.formats.protocol import Encoding, OutputFormat
from lp_ray.output.sidecars.protocol import ChunkFacts, Sidecar
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.filter import Filter, Verdict

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"

HEAD = """# API

Written by `python -m scripts.api_page` from the docstrings; do not edit. What stands on this page is public: it changes
with an entry in the [changelog](../CHANGELOG.md) only. Everything else in `lp_ray` may move. Commands and their exit
codes are in the README, settings in [settings.md](settings.md), columns of manifests in [manifests.md](manifests.md).
"""

LIBRARY = [getattr(lp_ray, name) for name in sorted(lp_ray.__all__) if not name.startswith("_")]
PLUGINS: dict[str, tuple[type[Any], ...]] = {
    "Stages and filters (`lp_ray.stages`)": (Stage, Filter, Verdict, Bench, Share),
    "Engines (`lp_ray.engines`)": (
        *(EnginePlugin, EngineSpec, EngineIdentity, Engine),
        *(SourceCrops, PairMotion, Span, Frames),
    ),
    "Detectors (`lp_ray.detectors`)": (LandmarkerPlugin, LandmarkerSpec, LandmarkerIdentity, Landmarker, Face),
    "Output formats (`lp_ray.formats`)": (OutputFormat, Encoding),
    "Sidecars (`lp_ray.sidecars`)": (Sidecar, ChunkFacts),
    "Where plugins are found": (Registry,),
}


def page() -> str:
    """Return the page as it should be."""
    lines = [HEAD, "## The library\n"]
    for thing in LIBRARY:
        lines += _entry(thing)
    lines += ["## Contracts of plugins\n", "CONTRIBUTING.md has an example of each.\n"]
    for title, contracts in PLUGINS.items():
        lines += [f"### {title}\n"]
        for contract in contracts:
            lines += _entry(contract)
    lines += ["## Errors\n", "All of `lp_ray.base.errors`.\n", *_errors(), ""]
    return "\n".join(lines)


def _entry(thing: Any) -> Iterator[str]:
    yield f"#### `{thing.__name__}`\n"
    if not inspect.isclass(thing) or thing in LIBRARY:
        yield f"```python\n{thing.__name__}{_signature(thing)}\n```\n"
    yield f"{_text(thing)} (`{thing.__module__}`)\n"
    if inspect.isclass(thing):
        yield from _attributes(thing)
        for name, method in _methods(thing):
            yield f"- `{name}{_signature(method)}`: {_text(method, indent='  ')}"
        yield ""


def _attributes(of: type[Any]) -> Iterator[str]:
    """Yield a line for each attribute that a class declares."""
    for name, annotation in vars(of).get("__annotations__", {}).items():
        if not name.startswith("_"):
            yield f"- `{name}: {_plain(str(annotation))}`"


def _methods(of: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the public methods that a class itself has."""
    for name, member in vars(of).items():
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        declared = name in vars(of).get("__annotations__", {})
        if inspect.isfunction(function) and inspect.getdoc(function) and not name.startswith("_") and not declared:
            yield name, function


def _signature(thing: Any) -> str:
    """Return parameters and what comes back, with the defaults that are short."""
    signature = inspect.signature(thing)
    words = []
    for name, value in signature.parameters.items():
        if value.kind is value.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        stars = {value.VAR_POSITIONAL: "*", value.VAR_KEYWORD: "**"}.get(value.kind, "")
        if name not in ("self", "cls"):
            words.append(f"{stars}{name}: {_plain(str(value.annotation))}{_default(value.default)}")
    returned = signature.return_annotation
    arrow = "" if inspect.isclass(thing) or returned is signature.empty else f" -> {_plain(str(returned))}"
    return f"({', '.join(words)}){arrow}"


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return ""
    return f" = {value!r}" if value is None or isinstance(value, str | int | float) else " = ..."


def _plain(annotation: str) -> str:
    """Take the modules off the names of classes."""
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", annotation)


def _text(thing: Any, indent: str = "") -> str:
    """Return a docstring, examples as code."""
    text = re.sub(r"(?m)((?:^>>> .*\n|^'.*\n)+)", r"```python\n\1```\n", f"{inspect.getdoc(thing) or ''}\n")
    text = re.sub(r" *# doctest: .*", "", text)
    return text.strip().replace("\n", f"\n{indent}").replace(f"\n{indent}\n", "\n\n")


def _errors() -> Iterator[str]:
    for thing in vars(errors).values():
        if inspect.isclass(thing) and issubclass(thing, errors.LpRayError):
            first = _text(thing).partition("\n")[0]
            yield f"- `{thing.__name__}` ({thing.__bases__[0].__name__}): {first}"


def main() -> None:
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
