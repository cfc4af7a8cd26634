"""Weights: the published `.pth` files and prompts as they are converted, and a store's lock and files as they load."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx.numpy_helper
import safetensors.torch
import torch

from benchmarks.fuzz import archives, pickles
from benchmarks.fuzz.kinds import Case, Samples
from benchmarks.fuzz.mutations import Dice, mutate, mutate_text
from lp_ray.engine.liveportrait.config import FULL
from lp_ray.engine.liveportrait.networks import expected_shapes
from lp_ray.engine.liveportrait.weights.load import load_weights
from lp_ray.engine.liveportrait.weights.seeded import seeded_state
from lp_ray.face.insightface.sessions import open_session
from lp_ray.face.xpose.prompts import TextPrompts, prompts_to_npz, read_prompts
from lp_ray.models.artefacts import ARTEFACTS, artefact_of_model
from lp_ray.models.store import LOCK, LockEntry, WeightStore
from lp_ray.publish.convert import convert_file

_MODELS = {"whole.pth": "F", "F.pth": "F", "xpose.pth": "xpose", "old.pth": "F", "prompts.pkl": "prompts_9"}
_NETWORK = "human/F.safetensors"
_PROMPTS = "animal/prompts_9.npz"
_DETECTOR = "shared/det_10g.onnx"
_STORED = {"F.safetensors": _NETWORK, "prompts.npz": _PROMPTS, "detector.onnx": _DETECTOR}
"""Sample -> its name in a store."""


class Weights:
    """Files that a job's networks are loaded from."""

    def make_samples(self, folder: Path) -> None:
        """The smallest network, whole and in part; of others what a converter looks at first."""
        state = seeded_state("human0", "F", expected_shapes(FULL)["F"])
        few = OrderedDict(list(state.items())[:3])
        torch.save(few, folder / "F.pth")
        torch.save(OrderedDict(state), folder / "whole.pth")
        torch.save(few, folder / "old.pth", _use_new_zipfile_serialization=False)
        torch.save({"model": few, "args": None}, folder / "xpose.pth")
        (folder / "F.safetensors").write_bytes(safetensors.torch.save(dict(few)))
        random = np.random.default_rng(0)
        prompts = TextPrompts(*(random.normal(size=(n, 512)).astype(np.float32) for n in (1, 9)))
        (folder / "prompts.npz").write_bytes(prompts_to_npz(prompts))
        tensors = tuple(torch.from_numpy(rows) for rows in (prompts.instance, prompts.keypoints))
        (folder / "prompts.pkl").write_bytes(pickle.dumps(tensors))
        (folder / "detector.onnx").write_bytes(_model())
        (folder / "store.lock").write_bytes(_lock({}))

    def make(self, dice: Dice, samples: Samples) -> Case:
        chosen = dice.of(list(samples))
        data = samples[chosen]
        sound = dice.chance(0.05) and chosen.startswith(("prompts", "whole", "detector"))
        how = "as it is"
        if not sound:
            data, how = _broken(chosen, data, dice, list(samples.values()))
        about = {"model": _MODELS.get(chosen, "")}
        if chosen.endswith("pth") or chosen.endswith("pkl"):
            return Case({chosen: data}, chosen, f"{chosen}: {how}", sound, about)
        files = {LOCK: data}
        if chosen != "store.lock":
            stored = _STORED[chosen]
            files = {stored: data, LOCK: _lock({stored: data})}
            about["stored"] = stored
        return Case(files, LOCK, f"{chosen}: {how}", sound, about)

    def read(self, path: Path, case: Case, output: Path) -> None:
        """Convert a published file, or load what a store holds: the network F, a detector, prompts."""
        if case.about["model"]:
            data = convert_file(path, artefact_of_model(case.about["model"]), path.name)
            (output / "converted").write_bytes(data)
            return
        store = WeightStore(str(path.parent))
        list(store.verify())
        if case.about.get("stored") == _PROMPTS:
            read_prompts(store.read(_PROMPTS), _PROMPTS)
        elif case.about.get("stored") == _DETECTOR:
            (output / "detector.onnx").write_bytes(store.read(_DETECTOR))
            open_session(output / "detector.onnx", "cpu", 1)
        else:
            load_weights(str(path.parent), "full", "human")


def _model() -> bytes:
    """Return a small ONNX model: a convolution, and a picture twice as large."""
    make = onnx.helper
    weights = [np.ones((4, 3, 3, 3), np.float32), np.array([1, 1, 2, 2], np.float32)]
    constants = [onnx.numpy_helper.from_array(array, name) for array, name in zip(weights, ("w", "s"), strict=True)]
    nodes = [make.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4), make.make_node("Resize", ["y", "", "s"], ["z"])]
    given = make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 16, 16])
    made = make.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [1, 4, 32, 32])
    graph = make.make_graph(nodes, "detector", [given], [made], constants)
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _broken(chosen: str, data: bytes, dice: Dice, others: list[bytes]) -> tuple[bytes, str]:
    if chosen == "store.lock":
        return mutate_text(data, dice) if dice.chance(0.7) else mutate(data, dice, others)
    if chosen.endswith("safetensors") and dice.chance(0.7):
        return _safetensors(data, dice)
    if chosen in ("whole.pth", "F.pth", "xpose.pth", "prompts.npz") and dice.chance(0.7):
        return _zip(data, dice)
    if chosen.endswith("pkl") and dice.chance(0.6):
        return _pickle(data, dice, ("opcodes", "call", "growing"))
    return mutate(data, dice, others)


def _zip(data: bytes, dice: Dice) -> tuple[bytes, str]:
    """Change the pickle, or a storage, of a checkpoint under a true checksum; or what its archive says."""
    with zipfile.ZipFile(io.BytesIO(data)) as given:
        members = [archives.Member(name.encode(), given.read(name)) for name in given.namelist()]
    inner = [i for i, member in enumerate(members) if member.name.endswith(b"data.pkl")]
    if not inner or dice.chance(0.3):
        return archives.spoil(members, dice)
    n = inner[0]
    held, how = _pickle(members[n].data, dice, ("opcodes", "call", "growing", "bytes", "bytes"))
    members[n] = archives.Member(members[n].name, held)
    return archives.archive(members), f"data.pkl, {how}"


def _pickle(data: bytes, dice: Dice, ways: tuple[str, ...]) -> tuple[bytes, str]:
    """Change a pickle in one of these ways, or put another in its place."""
    how = dice.of(ways)
    if how == "call":
        return pickles.call(dice), how
    if how == "growing":
        return pickles.growing(dice)
    return pickles.opcodes(data, dice) if how == "opcodes" else mutate(data, dice)


def _safetensors(data: bytes, dice: Dice) -> tuple[bytes, str]:
    """Change the header of a safetensors file under its true length, or the length."""
    (length,) = struct.unpack_from("<Q", data)
    header, body = data[8 : 8 + length], data[8 + length :]
    how = dice.of(("text", "text", "length", "values"))
    if how == "length":
        return dice.of((0, 1, 100_000_001, 1 << 40, (1 << 64) - 1)).to_bytes(8, "little") + header + body, how
    if how == "values":
        entries = json.loads(header)
        entry = entries[dice.of([name for name in entries if name != "__metadata__"])]
        entry[dice.of(("dtype", "shape", "data_offsets"))] = dice.of(
            ("F99", "BOOL", [-1], [1 << 63], [0], [], [0, 1 << 62], [8, 0], "x", None, [[0]], [1.5, 2], [0] * 5000)
        )
        header = json.dumps(entries).encode()
    else:
        header, _ = mutate_text(header, dice)
    return struct.pack("<Q", len(header)) + header + body, f"header, {how}"


def _lock(files: dict[str, bytes]) -> bytes:
    """Return a lock that vouches for files, and for all others that a job looks for in it."""
    entries = {
        artefact.name: LockEntry("0" * 64, 1000, artefact.source, "0" * 64, 1000, "unpinned", "none")
        for artefact in ARTEFACTS
    }
    for name, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        entries[name] = LockEntry(digest, len(data), name, digest, len(data), "other", "none")
    return json.dumps({"format_version": 1, "files": {name: asdict(entry) for name, entry in entries.items()}}).encode()
