"""The networks as functions from arrays to arrays. Batches, devices and picture formats are handled here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lp_ray.base.errors import EngineOutputError
from lp_ray.engine.liveportrait.config import N_KEYPOINTS
from lp_ray.engine.liveportrait.fast.execution import Execution, executed
from lp_ray.engine.liveportrait.fast.renderer import Pass, Renderer
from lp_ray.engine.liveportrait.motion import degrees
from lp_ray.engine.liveportrait.networks import Networks
from lp_ray.engine.liveportrait.placement import CUDA_BATCH, choose_execution, exact_inference, place
from lp_ray.engine.liveportrait.stitching import retarget, stitch
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.motion.keypoints import keypoints, rotation

F32 = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

MOTION_FIELDS = ("scale", "t", "kp", "exp", "pitch", "yaw", "roll")

BLACK = 4 / 255
"""A picture whose values are all at most this is black. This is a sign of overflow; no portrait is black."""


@dataclass(frozen=True)
class SourceFeatures:
    """What the warp needs of a source, on the device: volume n x C x D x 64 x 64, and its compressed form.

    One row for a picture, shared by all frames; one row per frame for a source video.
    """

    volume: Tensor
    compressed: Tensor

    def __len__(self) -> int:
        return len(self.volume)

    def rows(self, start: int, stop: int) -> SourceFeatures:
        """Return rows [start, stop) without copying."""
        return SourceFeatures(self.volume[start:stop], self.compressed[start:stop])


class Predictor:
    """Runs placed networks on any number of frames.

    Every pass has the same batch size; the last one is padded. So shapes stay static, and a frame's result does not
    depend on how many frames are in its pass.
    """

    def __init__(
        self,
        networks: Networks,
        device: torch.device,
        dtype: torch.dtype,
        batch: int | None = None,
        execution: Execution | None = None,
    ) -> None:
        """Takes ownership of the networks. `batch` (frames per pass) and `execution` default to the device's own."""
        place(networks, device, dtype)
        self._device, self._dtype = device, dtype
        on_cpu = device.type == "cpu"
        self._batch = batch or (networks.size.cpu_batch if on_cpu else CUDA_BATCH)
        execution = execution or choose_execution(device, dtype)
        with torch.no_grad():
            self.renderer = Renderer(networks, device, execution)
        self._compress = networks.warping.compress_only()
        self._appearance, self._detector = networks.appearance, networks.motion
        self._motion_run = executed(self.motion_tensors, execution, device)
        self._features_run = executed(self.feature_tensors, execution, device)
        self.heads = KeypointHeads(networks)

    def motion(self, crops: NDArray[np.uint8]) -> dict[str, F32]:
        """Run M on n x 256 x 256 x 3 RGB: scale n x 1, R n x 3 x 3, exp, kp, x_s n x 21 x 3, t n x 3."""
        parts = [self._motion(batch) for batch in self._batches(crops)]
        raw = {name: np.concatenate([part[name] for part in parts])[: len(crops)] for name in parts[0]}
        R = rotation(raw.pop("pitch"), raw.pop("yaw"), raw.pop("roll"))
        return {**raw, "R": R, "x_s": keypoints(raw["kp"], raw["scale"], R, raw["exp"], raw["t"])}

    def _motion(self, crops: NDArray[np.uint8]) -> dict[str, F32]:
        with exact_inference():
            tensors = self._motion_run(self._on_device(crops))
            return {name: tensor.cpu().numpy() for name, tensor in zip(MOTION_FIELDS, tensors, strict=True)}

    def motion_tensors(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Run M on uint8 crops on the device. Returns tensors with the names of MOTION_FIELDS."""
        heads = self._detector(self._pictures(crops))
        points = (heads.kp.view(-1, N_KEYPOINTS, 3), heads.exp.view(-1, N_KEYPOINTS, 3))
        return heads.scale, heads.t, *points, *(degrees(angle) for angle in (heads.pitch, heads.yaw, heads.roll))

    def features(self, crops: NDArray[np.uint8]) -> SourceFeatures:
        """Run F on n x 256 x 256 x 3 RGB: a source picture's crop (n = 1), or those of a source video's frames."""
        with exact_inference():
            parts = []
            for start, batch in zip(range(0, len(crops), self._batch), self._batches(crops), strict=True):
                made = self._features_run(self._on_device(batch))
                parts.append([tensor[: len(crops) - start].clone() for tensor in made])  # rows of padding are let go
            return SourceFeatures(*(torch.cat(rows) for rows in zip(*parts, strict=True)))

    def feature_tensors(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Run F on uint8 crops on the device. Returns the volume and its compressed form."""
        volume = self._appearance(self._pictures(crops))
        return volume, self._compress(volume)

    def frames(self, source: SourceFeatures, x_s: F32, x_d: F32) -> NDArray[np.uint8]:
        """Run W and G: keypoints x_d of n frames (n x 21 x 3) -> n x 512 x 512 x 3 RGB.

        `source` and its keypoints `x_s` have one row, shared by all frames, or n: row i for frame i.
        Raises EngineOutputError when a picture is black or not finite, ValueError for another number of rows.
        """
        n = len(x_d)
        _check_rows(source, x_s, n)
        frames = np.empty((n, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
        start = 0
        with exact_inference():
            for done in self.renderer.render(self._parts(source, x_s, x_d)):
                wanted = min(self._batch, n - start)
                check_pictures(done.extremes[:wanted])
                frames[start : start + wanted] = done.pixels[:wanted].numpy()
                start += wanted
        return frames

    def frames_on_device(self, source: SourceFeatures, x_s: F32, x_d: F32) -> Tensor:
        """As `frames`, but they stay on the device: n x 512 x 512 x 3 RGB uint8."""
        _check_rows(source, x_s, len(x_d))
        with exact_inference():
            made = list(self.renderer.render_on_device(self._parts(source, x_s, x_d)))
            check_pictures(torch.cat([done.extremes for done in made])[: len(x_d)].cpu())
            return torch.cat([done.pixels for done in made])[: len(x_d)]

    def _parts(self, source: SourceFeatures, x_s: F32, x_d: F32) -> Iterator[Pass]:
        """Cut frames into passes, each with the source rows that it needs."""
        for start, batch in zip(range(0, len(x_d), self._batch), self._batches(x_d), strict=True):
            if len(source) == 1:
                yield Pass(source.volume, source.compressed, self._on_device(batch), self._on_device(x_s))
            else:
                rows = np.minimum(np.arange(start, start + self._batch), len(x_d) - 1)
                at = torch.from_numpy(rows).to(self._device)
                moved, still = self._on_device(batch), self._on_device(x_s[rows])
                yield Pass(source.volume[at], source.compressed[at], moved, still)

    def _batches(self, rows: NDArray[Scalar]) -> Iterator[NDArray[Scalar]]:
        for start in range(0, len(rows), self._batch):
            batch = rows[start : start + self._batch]
            lacking = self._batch - len(batch)
            yield np.concatenate([batch, np.repeat(batch[-1:], lacking, 0)]) if lacking else batch

    def _on_device(self, array: NDArray[Scalar]) -> Tensor:
        tensor = torch.tensor(array)
        return tensor if self._device.type == "cpu" else tensor.pin_memory().to(self._device, non_blocking=True)

    def _pictures(self, crops: Tensor) -> Tensor:
        return (crops.permute(0, 3, 1, 2).float() / 255).to(self._dtype)


class KeypointHeads:
    """The S networks on arrays, as `lp_ray.motion.retarget.Heads`.

    They run on the CPU in float64: this costs almost nothing, and rounding then does not depend on how many frames are
    computed together.
    """

    def __init__(self, networks: Networks) -> None:
        self._stitching, self._lip, self._eye = (
            head.to(torch.float64) for head in (networks.stitching, networks.lip, networks.eye)
        )

    def stitch(self, x_s: F32, x_d: F32) -> F32:
        """Return x_d (n x 21 x 3) moved so that the shoulders stay where they are in x_s (n x 21 x 3)."""
        with torch.inference_mode():
            return _float32(stitch(self._stitching, _float64(x_s), _float64(x_d)))

    def eye_delta(self, x_s: F32, ratios: F32) -> F32:
        """Return the delta, n x 21 x 3, for source left, source right and wanted eye ratio (n x 3)."""
        with torch.inference_mode():
            return _float32(retarget(self._eye, _float64(x_s), _float64(ratios)))

    def lip_delta(self, x_s: F32, ratios: F32) -> F32:
        """Return the delta, n x 21 x 3, for source and wanted lip ratio (n x 2)."""
        with torch.inference_mode():
            return _float32(retarget(self._lip, _float64(x_s), _float64(ratios)))


def _check_rows(source: SourceFeatures, x_s: F32, n: int) -> None:
    if len(source) != len(x_s) or len(source) not in (1, n):
        raise ValueError(f"{n} frames take a source of 1 or {n} rows, not {len(source)} features, {len(x_s)} x_s")


def check_pictures(extremes: Tensor) -> None:
    """Raise EngineOutputError if any picture is black or not finite, judged by each one's lowest and highest value."""
    low, high = extremes.unbind(1)
    if not bool(torch.isfinite(low + high).all()):
        raise EngineOutputError(
            "the generator gave a picture with non-finite values: weights damaged, or precision too low for them "
            "(try engine.precision=bfloat16 or float32)"
        )
    if bool((high < BLACK).any()):
        raise EngineOutputError(
            "the generator gave a black picture: weights damaged, or precision too low for them "
            "(try engine.precision=float32)"
        )


def _float64(array: F32) -> Tensor:
    return torch.from_numpy(array.astype(np.float64))


def _float32(tensor: Tensor) -> F32:
    return tensor.numpy().astype(np.float32)
