"""Remove options that have no effect from all pairs at once, before the pairs get their keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lp_ray.contract.effects import PairFacts
from lp_ray.contract.normalise import ineffective, normalise_options
from lp_ray.contract.options import PairOptions
from lp_ray.plan.pairing import Pairs

Marks = NDArray[np.bool_]


def normalise_pairs(
    pairs: Pairs,
    source_videos: Marks,
    source_boxes: Marks,
    driving_templates: Marks,
    driving_performances: Marks,
    driving_casts: Marks,
    driving_sounds: Marks,
    animal: bool,
) -> tuple[Pairs, Counter[str]]:
    """Return the pairs with normalised options, in the same order, and how many pairs lost each option.

    The marks are per row of the two manifests: sources that are videos, sources that have a box, drivings that are
    motion templates, those of them that are performances, those that are casts, and those that have a sound beside.
    `animal`: the engine's variant is animal. The counter's keys are the lines of `ineffective`.
    Options whose effect depends on the content of a driving (one frame, square frames) are kept, because the content is
    not known yet.
    """
    columns = np.stack(
        [
            pairs.option_index,
            source_videos[pairs.source_index],
            source_boxes[pairs.source_index],
            driving_templates[pairs.driving_index],
            driving_performances[pairs.driving_index],
            driving_casts[pairs.driving_index],
            driving_sounds[pairs.driving_index],
        ]
    ).astype(np.int64)
    kinds, kind_of_pair, n_pairs = np.unique(columns, axis=1, return_inverse=True, return_counts=True)
    sets: dict[PairOptions, int] = {}
    index = np.zeros(kinds.shape[1], np.int64)
    said: Counter[str] = Counter()
    for kind, (option, *known) in enumerate(kinds.T.tolist()):
        video, box, template, performed, cast, sound = map(bool, known)
        facts = PairFacts(video, box, template, performed, animal, driving_cast=cast, driving_sound=sound)
        options = pairs.option_sets[option]
        index[kind] = sets.setdefault(normalise_options(options, facts), len(sets))
        for line in ineffective(options, facts):
            said[line] += int(n_pairs[kind])
    return replace(pairs, option_index=index[kind_of_pair.ravel()], option_sets=tuple(sets)), said
