"""Options have no effect on motion transfer where they declare it: every combination of options, every type of pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.contract.driving_reference import parse_reference
from lp_ray.contract.effects import PairFacts
from lp_ray.contract.normalise import ineffective, normalise_options
from lp_ray.contract.option_checks import check_options
from lp_ray.contract.options import LIVEPORTRAIT, PairOptions
from lp_ray.engine.liveportrait.engine import transfer_options
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.records import DrivingMotion, SourceMotion
from lp_ray.motion.reference import reference_index
from lp_ray.motion.transfer import TransferOptions, transfer

N = 6

VALUES: dict[str, tuple[Any, ...]] = {
    "animation_region": ("all", "exp", "pose", "lip", "eyes"),
    "driving_option": ("expression-friendly", "pose-friendly"),
    "driving_smooth_observation_variance": (3e-7, 1e-3),
    "flag_relative_motion": (True, False),
    "flag_eye_retargeting": (False, True),
    "flag_lip_retargeting": (False, True),
    "flag_source_video_eye_retargeting": (False, True),
    "flag_normalize_lip": (False, True),
    "driving_multiplier": (1.0, 0.0),
}
"""Those of motion, the default first; `driving_reference` and `flag_stitching` come with the kind of pair."""

ALIKE_BY_ARITHMETIC = {"driving_option"}
"""Of people the reference frame's keypoints are the source's own, and the factor is 1 but for rounding."""


class MatrixHeads:
    """One seeded matrix for each head: any function of its inputs does for these promises."""

    def __init__(self) -> None:
        random = np.random.default_rng(5)
        widths = {"stitch": 126, "eye": 66, "lip": 65}
        self._matrices = {name: random.normal(0, 0.05, (n, 63)).astype(np.float32) for name, n in widths.items()}

    def _apply(self, name: str, *parts: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
        return (rows @ self._matrices[name]).reshape(-1, 21, 3)

    def stitch(self, x_s: NDArray[np.float32], x_d: NDArray[np.float32]) -> NDArray[np.float32]:
        return x_d + self._apply("stitch", x_s, x_d)

    def eye_delta(self, x_s: NDArray[np.float32], ratios: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._apply("eye", x_s, ratios)

    def lip_delta(self, x_s: NDArray[np.float32], ratios: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._apply("lip", x_s, ratios)


HEADS = MatrixHeads()


@cache
def frames(seed: int, n: int) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    values: dict[str, NDArray[Any]] = {
        "scale": random.uniform(1.0, 1.4, (n, 1)),
        "R": rotation(*random.uniform(-20, 20, (3, n)).astype(np.float32)),
        "exp": random.normal(0, 0.03, (n, 21, 3)),
        "t": random.normal(0, 0.05, (n, 3)),
        "kp": random.normal(0, 0.3, (n, 21, 3)),
        "eye_ratio": random.uniform(0.05, 0.4, (n, 2)),
        "lip_ratio": random.uniform(0.05, 0.3, (n, 1)),
    }
    return {name: value.astype(np.float32) for name, value in values.items()}


class Moves:
    """Keypoints by options, for one kind of pair; each set of options is worked out once."""

    def __init__(self, facts: PairFacts) -> None:
        self._source = SourceMotion.from_frames(frames(1, N if facts.source_video else 1), bool(facts.source_video))
        self._frames = frames(2, 1 if facts.driving_still else N)
        self._driving = DrivingMotion.from_frames(self._frames, is_still=bool(facts.driving_still))
        self._known: dict[PairOptions, bytes] = {}

    def __call__(self, options: PairOptions) -> bytes:
        if options not in self._known:
            at = reference_index(parse_reference(options.driving_reference), self._frames)
            reference = self._driving.take(slice(at, at + 1))
            how = transfer_options(options, "human")
            x_d = transfer(self._source, self._driving, reference, HEADS, how)
            self._known[options] = x_d.tobytes()
        return self._known[options]


def combinations(facts: PairFacts) -> Iterator[PairOptions]:
    values = {**VALUES, "driving_reference": ("first", "neutral") if facts.driving_still else ("first", "5")}
    for chosen in product(*values.values()):
        yield PairOptions(**dict(zip(values, chosen, strict=True)))


KINDS = [PairFacts(source_video=video, driving_still=still) for video, still in product((False, True), repeat=2)]


@pytest.mark.parametrize("facts", KINDS, ids=str)
def test_options_without_effect_give_the_same_keypoints_as_their_defaults(facts: PairFacts) -> None:
    moves, n_reset = Moves(facts), 0
    for options in combinations(facts):
        normalised = normalise_options(options, facts)
        assert moves(normalised) == moves(options), ineffective(options, facts)
        assert normalise_options(normalised, facts) == normalised
        n_reset += normalised != options
    assert n_reset > 1000


@pytest.mark.parametrize("facts", KINDS, ids=str)
def test_every_other_option_has_an_effect(facts: PairFacts) -> None:
    """Set back to its default, an option that is not declared without effect changes the keypoints."""
    moves = Moves(facts)
    for options in combinations(facts):
        if normalise_options(options, facts) != options:
            continue
        for option in fields(options):
            if option.name not in ALIKE_BY_ARITHMETIC and getattr(options, option.name) != option.default:
                plain = replace(options, **{option.name: option.default})
                assert moves(plain) != moves(options), (option.name, options)


@pytest.mark.parametrize("facts", KINDS, ids=str)
def test_stitching_is_in_vain_only_where_nothing_moves(facts: PairFacts) -> None:
    moves = Moves(facts)
    for options in combinations(facts):
        loose = replace(options, flag_stitching=False, paste_back=False)
        still = options.driving_multiplier == 0
        assert (moves(loose) == moves(options)) == still
        assert normalise_options(loose, facts).flag_stitching == still
        check_options(normalise_options(loose, facts), LIVEPORTRAIT, "human", "here")


def test_transfer_has_the_defaults_of_the_options() -> None:
    """Whoever leaves an option out, in a job or beside the engine, gets the same."""
    assert transfer_options(PairOptions(), "human") == TransferOptions()
