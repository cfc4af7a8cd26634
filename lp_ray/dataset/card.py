"""The README.md of a data set: what a reader must know, with the YAML header that Hugging Face reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from lp_ray.dataset.plan import Plan
from lp_ray.dataset.statistics import Statistics
from lp_ray.quality.table import METRICS

PLOTS = "distributions.png"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LONGEST = 50
"""Values of a column that a card lists."""

LIMITS = (
    "All videos are synthetic: a portrait moves as another clip does. How these people really move is not in them.",
    "Identity, motion and picture drift: the columns of metrics say how far, null where they were not measured.",
    "Whose faces and motions these are is not balanced by anyone: skin, age, sex and pose are as the inputs were.",
    "Heads turn less than in real footage, the inside of mouths is invented, hands over faces are not handled.",
    "Sound, where there is any, is the driving's or the source's own; nothing is synthesised.",
    "There is no watermark.",
)


@dataclass(frozen=True)
class About:
    """What only the publisher knows. `licence` is that of the whole data set, `contact` takes requests to remove."""

    name: str
    licence: str = ""
    contact: str = ""


def card(plan: Plan, found: Statistics, about: About) -> str:
    """Return the card as Markdown."""
    header = yaml.safe_dump(_header(plan, found, about), sort_keys=False, allow_unicode=True)
    lines = ["---", header.rstrip(), "---", "", f"# {about.name}", "", *_body(plan, found, about)]
    return "\n".join(lines) + "\n"


def _header(plan: Plan, found: Statistics, about: About) -> dict[str, object]:
    size = next((word for most, word in _SIZES if found.samples < most), "n>1M")
    licence = {"license": about.licence} if _is_identifier(about.licence) else {"license": "other"}
    if about.licence and not _is_identifier(about.licence):
        licence["license_name"] = about.licence
    return {
        "pretty_name": about.name,
        **licence,
        "task_categories": ["image-to-video"],
        "size_categories": [size],
        "tags": ["synthetic", "talking-head", "face", "lp_ray"],
        "configs": [{"config_name": "default", **_data_files(plan)}],
    }


def _is_identifier(licence: str) -> bool:
    return bool(licence) and licence == licence.lower() and " " not in licence


def _data_files(plan: Plan) -> dict[str, object]:
    pattern = {"webdataset": "{}-*.tar", "parquet": "data/{}-*.parquet"}.get(plan.request.format)
    if pattern is None:
        return {"drop_labels": True, "data_files": [_files(side, f"{side}/**") for side in plan.request.sides.names]}
    return {"data_files": [_files(side, pattern.format(side)) for side in plan.request.sides.names]}


def _files(side: str, path: str) -> dict[str, str]:
    return {"split": side, "path": path}


def _by_face(plan: Plan) -> str:
    if not plan.people:
        return ""
    return f"; files whose faces are at most {plan.request.same_person:g} apart (L2) count as one person"


def _body(plan: Plan, found: Statistics, about: About) -> Iterator[str]:
    yield "Synthetic talking heads, made with lp_ray: each video is a portrait that moves as another clip does."
    yield from ("", "## Samples", "", "| split | videos | identities | drivings | frames | hours | GB |")
    yield "|---|---|---|---|---|---|---|"
    for side in found.sides:
        counts = f"{side.samples} | {side.identities} | {side.drivings} | {side.frames}"
        yield f"| {side.name} | {counts} | {side.seconds / 3600:.2f} | {side.bytes / 1e9:.2f} |"
    yield from ("", f"Split: `{plan.request.sides}`, seed {plan.request.seed}, by source identity and by driving: no")
    yield "face and no motion stands in two splits. A face or motion is known by its `subject_id`, where the manifest"
    yield f"gave one, else by its file{_by_face(plan)}."
    yield from ("", f"![distributions]({PLOTS})")
    yield from ("", "## How they were chosen", "")
    yield from (f"- `{condition}`" for condition in plan.conditions)
    if not plan.conditions:
        yield "No condition: all finished videos."
    yield from ("", "Left out:" if plan.left_out else "Nothing was left out.", "")
    yield from (f"- {count} {reason}" for reason, count in plan.left_out.most_common())
    yield from _terms(found, about)
    yield from _columns(plan, found)
    yield from ("", "## Known limits", "", *(f"- {limit}" for limit in LIMITS))


def _terms(found: Statistics, about: About) -> Iterator[str]:
    yield from ("", "## Licences, models and consent", "")
    yield f"- Licence of this data set: {about.licence or 'not stated'}."
    said = {
        "engine": "Made by",
        "lp_ray_version": "Version of lp_ray",
        "licences": "Terms of the models used (some forbid commercial use)",
        "source_licence": "Licences of the sources",
        "driving_licence": "Licences of the drivings",
        "source_consent": "Consent of the people shown",
        "driving_consent": "Consent of those whose motion it is",
        "source_attribution": "Attribution of the sources",
        "driving_attribution": "Attribution of the drivings",
    }
    for column, text in said.items():
        if column in found.words:
            yield f"- {text}: {_listed(found.words[column])}."
        elif column.endswith(("_licence", "_consent")):
            yield f"- {text}: not stated."
    yield from ("", "## Removal", "")
    contact = _inline(about.contact) or "**(no contact was given: add one before you publish this)**"
    yield f"To have a person's videos removed, write to {contact} and name the `pair_id` or the `source_id`."


def _columns(plan: Plan, found: Statistics) -> Iterator[str]:
    measured = [metric for metric in METRICS if metric.name in found.numbers]
    yield from ("", "## Columns", "")
    where = "`file_name`" if plan.request.format == "videofolder" else "`shard`"
    yield f"One row for each video in the table of its split; {where} says where the video is. `options` is JSON."
    if measured:
        yield from ("", "| metric | unit | better | what it is |", "|---|---|---|---|")
        yield from (f"| `{m.name}` | {m.unit} | {m.better} | {m.definition} |" for m in measured)


def _listed(words: Counter[str]) -> str:
    named = [
        f"{_inline(word)} ({count})" for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0]))
    ]
    more = f", and {len(named) - _LONGEST} more (see the tables)" if len(named) > _LONGEST else ""
    return ", ".join(named[:_LONGEST]) + more


def _inline(text: str) -> str:
    """Return text from a manifest so that it cannot be anything but text here: no line breaks, no markup."""
    plain = " ".join(text.split())[:200]
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#!" else sign for sign in plain)
