"""Each hand-raised version constant is pinned beside outputs that depend on it, so that a forgotten raise fails."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import lp_ray
from tests.fingerprints import FLOATS, OUTPUTS, PICTURES, Fingerprint, fingerprint

PINNED: dict[str, tuple[int, Fingerprint]] = {
    "lp_ray.engine.preview.engine.OUTPUT_VERSION": (
        3,
        {
            "pictures": (5.08466, -0.66993, 2.38638, 0.12856, 1.07935, -1.05888, 1.05748),
            "floats": (1.04574, -0.13911, -1.01585, 0.30892, -0.17607, 0.09005, 1.66374),
        },
    ),
    "lp_ray.engine.liveportrait.engine.OUTPUT_VERSION": (
        5,
        {
            "pictures": (4.84045, 0.13825, -0.72831, -1.34027, -2.36369, 0.07379, -0.19407),
            "floats": (-2.1939, 0.19833, 0.58334, -0.72572, -0.04481, -0.70108, 0.27984),
        },
    ),
    "lp_ray.engine.liveportrait.weights.seeded.RECIPE_VERSION": (
        1,
        {"floats": (-2.04315, -1.14543, -1.17238, 0.37624, -0.41469, -0.64113, -0.00923)},
    ),
    "lp_ray.face.mediapipe.landmarker.CODE_VERSION": (
        2,
        {"floats": (3.75638, -0.63597, 0.36773, 0.70892, -0.49256, 0.92593, 1.41199)},
    ),
    "lp_ray.face.insightface.identity.CODE_VERSION": (
        2,
        {"floats": (5.6411, -0.55285, -1.18576, -0.37882, 0.52107, 0.34356, -1.69812)},
    ),
    "lp_ray.face.xpose.identity.CODE_VERSION": (
        1,
        {"floats": (4.57539, 0.99039, -2.62928, -1.66404, 1.36896, -0.54181, 0.56734)},
    ),
    "lp_ray.face.identity.network.CODE_VERSION": (
        1,
        {"floats": (-2.15212, -0.7463, -1.76001, 0.12805, 1.1228, 1.98782, 0.40873)},
    ),
    "lp_ray.plan.keys.OUTPUT_VERSION": (
        3,
        {
            "pictures": (4.99354, 0.45463, 0.00367, 0.23876, 0.20607, -0.17618, -1.06801),
            "floats": (4.94573, -1.28249, 0.59542, 0.62145, -0.59542, 1.28207, 1.28249),
        },
    ),
    "lp_ray.stages.measuring.driving.VERSION": (
        1,
        {"floats": (1.39002, 1.15265, 0.97274, 0.90401, 0.48092, -0.07885, -0.07726)},
    ),
    "lp_ray.motion.performed.VERSION": (
        1,
        {"floats": (1.07456, 1.83378, -2.05476, 0.37655, -0.38086, 0.36622, -0.48376)},
    ),
    "lp_ray.labels.file.FORMAT_VERSION": (1, "db55ed2d477f2bba"),
    "lp_ray.motion.template.FORMAT_VERSION": (1, "7f977124047ff5ec"),
    "lp_ray.models.store.FORMAT_VERSION": (1, "c06b69b1a1f43b4f"),
    "lp_ray.report.summary.FORMAT_VERSION": (2, "c7f1655301744100"),
}
"""Constant -> its value, and the fingerprint of its outputs under this value."""

TOLERANCES = {FLOATS: 5e-4, PICTURES: 4e-3}
"""Of each number: other processors round otherwise. A share r of an array moves it by about r / sqrt(arrays)."""


def differs(found: Fingerprint, pinned: Fingerprint) -> bool:
    if isinstance(found, str) or isinstance(pinned, str) or found.keys() != pinned.keys():
        return found != pinned
    return any(np.abs(np.subtract(found[kind], pinned[kind])).max() > TOLERANCES[kind] for kind in found)


@pytest.mark.parametrize("constant", OUTPUTS)
def test_outputs_are_those_of_the_version_that_is_pinned(constant: str, tmp_path: Path) -> None:
    module, _, name = constant.rpartition(".")
    version = getattr(import_module(module), name)
    pinned_version, pinned = PINNED[constant]
    found = fingerprint(OUTPUTS[constant](tmp_path))
    row = "put {!r}: {} into PINNED"
    if version == pinned_version and differs(found, pinned):
        pytest.fail(
            f"what {module} gives has changed, and {name} is still {version}: results of before would be taken for "
            f"those of now. Raise {constant} to {version + 1} and {row.format(constant, (version + 1, found))}"
        )
    if version != pinned_version:
        pytest.fail(f"{constant} is {version}, {pinned_version} is pinned: {row.format(constant, (version, found))}")


def test_every_version_raised_by_hand_is_pinned() -> None:
    root = Path(lp_ray.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        module = ".".join(["lp_ray", *path.relative_to(root).with_suffix("").parts])
        for name in re.findall(r"^([A-Z_]*VERSION) = \d+$", path.read_text(), re.MULTILINE):
            found.add(f"{module}.{name}")
    assert found == OUTPUTS.keys() == PINNED.keys()


def test_a_change_is_told_from_rounding() -> None:
    """A hundredth of one array's size among twenty is a change; one level in one pixel of two hundred is not."""
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(40, 3)) for _ in range(20)]
    changed = [arrays[0] + 0.01 * random.normal(size=(40, 3)), *arrays[1:]]
    assert differs(fingerprint(changed), fingerprint(arrays))
    assert not differs(fingerprint([array + 1e-5 for array in arrays]), fingerprint(arrays))
    picture = random.integers(0, 255, (256, 256, 3)).astype(np.uint8)
    rounded = picture + (random.uniform(size=picture.shape) < 0.005).astype(np.uint8)
    assert not differs(fingerprint([rounded]), fingerprint([picture]))
    assert differs(fingerprint([np.roll(picture, 1, axis=1)]), fingerprint([picture]))
    assert differs("a", "b") and differs("a", fingerprint([picture]))
    assert differs(fingerprint([picture]), fingerprint([picture, arrays[0]]))
