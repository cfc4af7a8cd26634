"""Write docs/settings.md from the declarations: `python scripts/settings_page.py`. A test holds the page to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lp_ray.base.declared import Declared
from lp_ray.base.limits import Limits
from lp_ray.contract.measuring import Measuring
from lp_ray.contract.options import PairOptions
from lp_ray.engine.factory import ENGINES
from lp_ray.face.factory import DETECTORS
from lp_ray.runtime.graph import PAIRS, TEMPLATES
from lp_ray.storage.policy import DEFAULT_SCHEMES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"

HEAD = """# Settings

Written by `python scripts/settings_page.py` from the declarations in the code; do not edit. The settings of each
command, such as manifests and paths, are explained in `conf/<command>.yaml` and shown by `--help`.
"""


def page() -> str:
    """Return the page as it should be."""
    return "\n".join([HEAD, *_options(), *_measuring(), *_limits(), *_plugins(), *_pools()])


def _table(title: str, text: str, head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    yield f"## {title}\n\n{text}\n"
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)
    yield ""


def _options() -> Iterator[str]:
    hints = get_type_hints(PairOptions)
    rows = [
        (f"`{o.name}`", f"`{_typed(o.default)}`", _values(o.metadata, hints[o.name]), o.metadata["help"], _whose(o))
        for o in fields(PairOptions)
    ]
    text = (
        "Given to `jobs.animate` (or to the library) an option holds for all pairs, as a column of the pairs manifest "
        "for its row. [options.md](options.md) says which flag of the reference each one is, and when it has no effect."
    )
    yield from _table("Options of a pair", text, ("option", "default", "values", "meaning", "for"), rows)


def _measuring() -> Iterator[str]:
    hints = get_type_hints(Measuring)
    rows = [
        (
            f"`{m.name}`",
            f"`{_typed(m.default)}`",
            ", ".join(get_args(hints[m.name])) or "true, false",
            m.metadata["help"],
        )
        for m in fields(Measuring)
    ]
    text = (
        "What is measured on finished videos ([labels.md](labels.md), [metrics.md](metrics.md)). Pairs that have less "
        "than a job asks for are made again."
    )
    yield from _table("Labels and metrics", text, ("setting", "default", "values", "meaning"), rows)


def _values(metadata: Any, hint: Any) -> str:
    if metadata["choices"]:
        return ", ".join(metadata["choices"]())
    if get_origin(hint) is Literal:
        return ", ".join(get_args(hint))
    if metadata["low"] is not None:
        return f"{metadata['low']:g} to {metadata['high']:g}"
    return "true, false" if hint is bool else "text"


def _whose(option: Any) -> str:
    metadata = option.metadata
    engine = f"engine={metadata['only']}" if metadata["only"] else ""
    return ", ".join(filter(None, (engine, "people" if metadata["humans"] else "")))


def _typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _limits() -> Iterator[str]:
    rows = [(f"`limits.{f.name}`", f"`{_typed(f.default)}`", f.metadata["help"]) for f in fields(Limits)]
    rows += [
        ("`limits.schemes`", f"`[{', '.join(sorted(DEFAULT_SCHEMES))}]`", "where inputs may come from"),
        ("`limits.prefixes`", "`[]`", "if given, inputs must lie under one of these URIs"),
    ]
    text = "Bounds on one input, checked before it is decoded; an input over a bound fails its own pairs."
    yield from _table("Limits", text, ("setting", "default", "meaning"), rows)


def _plugins() -> Iterator[str]:
    for group, plugins in (("engine", ENGINES), ("detector", DETECTORS)):
        carried = [name for name in plugins.names() if name not in plugins.foreign()]
        for name in carried:
            settings: Declared = plugins.get(name).settings  # type: ignore[attr-defined]
            where = "xpose" if name == "xpose" else group
            rows = [(f"`{where}.{key}`", f"`{_typed(s.default)}`", s.text) for key, s in settings.items()]
            text = "Finds animals that have no box." if name == "xpose" else f"Chosen by `{group}={name}`."
            yield from _table(f"{group.capitalize()} {name}", text, ("setting", "default", "meaning"), rows)


def _pools() -> Iterator[str]:
    stages = [(graph.name, stage) for graph in (TEMPLATES, PAIRS) for stage in graph.stages]
    rows = [(f"`pools.{stage.name}.*`", phase, (stage.__doc__ or "").splitlines()[0]) for phase, stage in stages]
    rows.append(("`pools.finalize.*`", "pairs", "Tasks that join pairs, if they also measure (labels=full, metrics)."))
    text = "`actors`, `cpus` and `gpus` of each stage; by default they are derived from the cluster's totals."
    yield from _table("Pools", text, ("setting", "phase", "what an actor makes"), rows)


if __name__ == "__main__":
    PAGE.write_text(page())
