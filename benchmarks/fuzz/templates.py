"""Motion templates: `.npz` of our own and the reference's `.pkl`, imported as a job does and read in the store."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from benchmarks.fuzz import archives, pickles
from benchmarks.fuzz.kinds import Case, Samples
from benchmarks.fuzz.mutations import Dice, mutate, mutate_text
from benchmarks.fuzz.names import name
from lp_ray import storage
from lp_ray.coordinator.templates import TemplatesMade, take_stock
from lp_ray.engine.protocol import EngineSpec
from lp_ray.face.framing import DrivingFraming
from lp_ray.motion.pickle_io import ENGINE, export_pickle
from lp_ray.motion.records import TAILS, DrivingMotion
from lp_ray.motion.safe_pickle import load_plain
from lp_ray.motion.template import MotionFrames, TemplateHeader, write_template
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRef, ClipRow
from lp_ray.stages.imported import import_template
from lp_ray.stages.media import TemplateCache

_FRAMES = 12
_KEY, _DAMAGED = "imported", "damaged"
_HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (12, 1), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (12, 1), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (12, 1), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 1), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (12, 4611686018427387904), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (12, 0), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 1), }",
    "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (12,), }",
    "{'descr': ('<f4', (1000000000,)), 'fortran_order': False, 'shape': (12,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (12, 1), 'more': 1}",
    "{'shape': (12L, 1L), 'fortran_order': False, 'descr': '<f4'}",
    "__import__('os').system('touch CANARY')",
    "(" * 9000,
    "-" * 9000 + "1",
    "{'descr': '" + "<" * 900 + "', 'fortran_order': False, 'shape': (12, 1)}",
    "\0\xff",
    "",
)
"""What a `.npy` member may say of itself."""


class Templates:
    """Drivings that are motion already."""

    def make_samples(self, folder: Path) -> None:
        random = np.random.default_rng(0)
        frames: MotionFrames = {
            tail: random.normal(size=(_FRAMES, *shape)).astype(np.float32) for tail, shape in TAILS.items()
        }
        frames["scale"] = np.abs(frames["scale"]) + np.float32(0.5)
        header = TemplateHeader(
            ENGINE, "made", "made", 30000, 1001, _FRAMES, (3,), (64, 48), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        )
        write_template(folder / "ours.npz", header, [frames])
        data = export_pickle(header, frames)
        (folder / "new.pkl").write_bytes(data)
        content = load_plain(data, len(data))
        old: dict[str, Any] = {
            "n_frames": _FRAMES,
            "output_fps": 25,
            "motion": [dict(record) for record in content["motion"]],
        }
        for record in old["motion"]:
            record["R_d"] = record.pop("R")
        (folder / "old.pkl").write_bytes(pickle.dumps(old, 4))

    def make(self, dice: Dice, samples: Samples) -> Case:
        chosen = dice.of(["ours.npz", "ours.npz", *samples])
        data, path = samples[chosen], name(dice, Path(chosen).suffix)
        about = {"start_s": dice.of(("", "", "0.1", "50")), "end_s": dice.of(("", "", "0.2", "0.0001"))}
        if dice.chance(0.03):
            return Case({path: data}, path, f"{chosen} as it is", sound=True)
        data, how = (_npz if chosen.endswith("npz") else _pkl)(data, dice, list(samples.values()))
        return Case({path: data}, path, f"{chosen}: {how}", about=about)

    def read(self, path: Path, case: Case, output: Path) -> None:
        """Import it, and then meet it, whole or damaged, as a template of the store."""
        root = storage.normalise(str(output))
        settings = Settings(root, root, EngineSpec(ENGINE))
        start_s, end_s = (float(text) if (text := case.about.get(which)) else None for which in ("start_s", "end_s"))
        layout = TemplateLayout(root)
        if path.suffix == ".npz":
            shutil.copyfile(path, output / f"{_DAMAGED}.npz")
            _meet(settings, _DAMAGED, tolerant=True)
        import_template(settings, _KEY, ClipRef(str(path), "large-small", None, start_s, end_s))
        assert storage.exists(layout.template(_KEY))
        _meet(settings, _KEY)


def _meet(settings: Settings, key: str, tolerant: bool = False) -> None:
    """Find a template in the store and read its motion. `tolerant`: one that the store notes as damaged is not read."""
    made = TemplatesMade()
    clip = ClipRow(key, ClipRef("file:///x.mp4", "large-small"), DrivingFraming(), None)
    left = list(take_stock([clip], settings, made))
    if tolerant and left:
        return
    reader = TemplateCache(settings.templates).get(key)
    try:
        DrivingMotion.from_frames(reader.read(), len(reader) == 1)
    finally:
        reader.close()


def _pkl(data: bytes, dice: Dice, others: list[bytes]) -> tuple[bytes, str]:
    how = dice.of(("bytes", "bytes", "opcodes", "opcodes", "content", "content", "call", "growing"))
    if how == "bytes":
        return mutate(data, dice, others)
    if how == "opcodes":
        return pickles.opcodes(data, dice)
    if how == "content":
        return pickles.strange(load_plain(data, len(data)), dice)
    if how == "call":
        return pickles.call(dice), how
    return pickles.growing(dice)


def _npz(data: bytes, dice: Dice, others: list[bytes]) -> tuple[bytes, str]:
    how = dice.of(("bytes", "bytes", "zip", "zip", "header", "header", "array", "array"))
    if how == "bytes":
        return mutate(data, dice, others)
    with zipfile.ZipFile(io.BytesIO(data)) as ours:
        members = {member: ours.read(member) for member in ours.namelist()}
    if how == "zip":
        return archives.spoil([archives.Member(member.encode(), held) for member, held in members.items()], dice)
    if how == "header":
        text = bytes(np.load(io.BytesIO(members["header.npy"])))
        text, what = (
            mutate_text(text, dice) if dice.chance(0.6) else (_strange_header(json.loads(text), dice), "values")
        )
        members["header.npy"] = npy_bytes(np.frombuffer(text, np.uint8))
    else:
        member = dice.of(sorted(members))
        text = dice.of(_HEADERS).encode("latin-1")
        version = dice.of((b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\x09\0"))
        length = dice.of((len(text), len(text), 0, 0xFFFF)).to_bytes(2 if version == b"\1\0" else 4, "little")
        members[member] = b"\x93NUMPY" + version + length + text + bytes(48)
        what = member
    return archives.archive(
        [archives.Member(member.encode(), held) for member, held in members.items()]
    ), f"{how}, {what}"


def _strange_header(header: Mapping[str, Any], dice: Dice) -> bytes:
    changed = dict(header)
    values: tuple[Any, ...] = (
        *(-1, 0, 1, 13, 1 << 40, 1e308, float("nan"), None, "x", [], [1], [[1]], {}, True, [1e400] * 6, [-5] * 2),
        *("\ud800", [1 << 70], 1 << 3000),
    )
    changed[dice.of(sorted(changed))] = dice.of(values)
    return json.dumps(changed).encode()


def npy_bytes(array: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    """Return an array as a `.npy` file."""
    sink = io.BytesIO()
    npy.write_array(sink, array, allow_pickle=False)
    return sink.getvalue()
