"""The presets of `lp-ray filter`: conditions, each with the source of its threshold; one without source is in none."""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest


@dataclass(frozen=True)
class Rule:
    """A condition in the language of `where=…`, what it keeps, and where its threshold comes from."""

    condition: str
    keeps: str
    source: str


PRESETS: dict[str, tuple[Rule, ...]] = {
    "loose": (
        Rule(
            "identity_l2_mean < 0.6",
            "the source's face",
            "dlib's rule for one person; generous: strangers from 0.53",
        ),
        Rule("lost_share <= 0.2", "a face in four frames of five", "SpeakerVid-5M: one face in 80 % of samples"),
        Rule("face_fraction >= 0.017", "faces that are no specks", "TalkVid: 1.7 % of the picture"),
        Rule("10 <= luminance <= 210", "pictures neither black nor white", "SpeakerVid-5M (read second hand)"),
    ),
    "strict": (
        Rule("identity_l2_mean < 0.45", "a face very like the source's", "our warning, measured on 15 portraits"),
        Rule("identity_l2_worst < 0.6", "the source's face in every frame", "dlib's rule for one person"),
        Rule("lost_share == 0", "a face in every frame", "SpeakerVid-5M's rule, for all frames"),
        Rule("face_fraction > 0.15", "large faces", "asked for by several sets: 15 % of the picture"),
        Rule("20 <= luminance <= 140", "evenly lit faces", "DataFlow-MM"),
        Rule("angle_worst <= 54", "no profiles", "TalkVid's orientation score of 70, asked of the worst frame"),
        Rule("3 <= duration_s <= 14", "clips of a sentence or two", "clip lengths of talking-head sets"),
    ),
}


def rules_of(name: str) -> tuple[Rule, ...]:
    """Return the rules of a preset. Raises RefusedError if there is none of that name."""
    if name not in PRESETS:
        raise RefusedError(f"preset={name!r} must be one of {', '.join(PRESETS)}{nearest(name, PRESETS)}")
    return PRESETS[name]


def markdown() -> str:
    """Return the presets as tables for docs/datasets.md."""
    lines = []
    for name, rules in PRESETS.items():
        lines += [f"`preset={name}`", "", "| condition | keeps | threshold from |", "|---|---|---|"]
        lines += [f"| `{rule.condition}` | {rule.keeps} | {rule.source} |" for rule in rules]
        lines.append("")
    return "\n".join(lines)
