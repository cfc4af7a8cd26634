"""The networks as functions from arrays to arrays: batches, devices and picture formats end here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lp_ray.engine.liveportrait.config import N_KEYPOINTS
from lp_ray.engine.liveportrait.motion import degrees
from lp_ray.engine.liveportrait.networks import Networks
from lp_ray.engine.liveportrait.placement import CUDA_BATCH, exact_inference, place
from lp_ray.engine.liveportrait.stitching import retarget, stitch
from lp_ray.errors import EngineOutputError
from lp_ray.motion.keypoints import keypoints, rotation

F32 = NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)

BLACK = 4 / 255
"""A picture without a brighter value is black: what overflow looks like, and no portrait does."""


@dataclass(frozen=True)
class SourceFeatures:
    """What warping needs of a source, on the device: volume n x C x D x 64 x 64 and the same compressed.

    One row for a picture, shared by all its frames; a row per frame for a source video.
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

    Every pass is of the same batch size, the last one padded: shapes stay static and a frame's result does
    not depend on how many came with it.
    """

    def __init__(self, networks: Networks, device: torch.device, dtype: torch.dtype) -> None:
        place(networks, device, dtype)
        self._networks, self._device, self._dtype = networks, device, dtype
        self._batch = networks.size.cpu_batch if device.type == "cpu" else CUDA_BATCH
        self.heads = KeypointHeads(networks)

    def motion(self, crops: NDArray[np.uint8]) -> dict[str, F32]:
        """Run M on n x 256 x 256 x 3 RGB: scale n x 1, R n x 3 x 3, exp, kp, x_s n x 21 x 3, t n x 3."""
        parts = [self._motion(batch) for batch in self._batches(crops)]
        raw = {name: np.concatenate([part[name] for part in parts])[: len(crops)] for name in parts[0]}
        R = rotation(raw.pop("pitch"), raw.pop("yaw"), raw.pop("roll"))
        return {**raw, "R": R, "x_s": keypoints(raw["kp"], raw["scale"], R, raw["exp"], raw["t"])}

    def _motion(self, crops: NDArray[np.uint8]) -> dict[str, F32]:
        with exact_inference():
            heads = self._networks.motion(self._pictures(crops))
            tensors = {
                "scale": heads.scale,
                "t": heads.t,
                "kp": heads.kp.view(-1, N_KEYPOINTS, 3),
                "exp": heads.exp.view(-1, N_KEYPOINTS, 3),
                **{name: degrees(getattr(heads, name)) for name in ("pitch", "yaw", "roll")},
            }
            return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}

    def features(self, crops: NDArray[np.uint8]) -> SourceFeatures:
        """Run F on n x 256 x 256 x 3 RGB: a source picture's crop (n = 1), or those of a source video's frames."""
        with exact_inference():
            volumes = [self._networks.appearance(self._pictures(batch)) for batch in self._batches(crops)]
            compressed = [self._networks.warping.compress(volume) for volume in volumes]
            # Cloned, so that rows of padding are let go.
            return SourceFeatures(*(torch.cat(parts)[: len(crops)].clone() for parts in (volumes, compressed)))

    def frames(self, source: SourceFeatures, x_s: F32, x_d: F32) -> NDArray[np.uint8]:
        """Run W and G: keypoints x_d of n frames (n x 21 x 3) -> n x 512 x 512 x 3 RGB.

        `source` and its keypoints `x_s` have one row, shared by all frames, or n: row i for frame i.
        Raises EngineOutputError when a picture is black or not finite, ValueError for another number of rows.
        """
        n = len(x_d)
        if len(source) != len(x_s) or len(source) not in (1, n):
            raise ValueError(f"{n} frames take a source of 1 or {n} rows, not {len(source)} features, {len(x_s)} x_s")
        rendered = [self._render(*part) for part in self._parts(source, x_s, x_d)]
        return np.concatenate(rendered)[:n]

    def _parts(self, source: SourceFeatures, x_s: F32, x_d: F32) -> Iterator[tuple[SourceFeatures, F32, F32]]:
        """Cut frames into passes, each with the rows of the source that it needs."""
        for start, batch in zip(range(0, len(x_d), self._batch), self._batches(x_d), strict=True):
            if len(source) == 1:
                yield source, x_s, batch
            else:
                rows = np.minimum(np.arange(start, start + self._batch), len(x_d) - 1)
                at = torch.from_numpy(rows).to(self._device)
                yield SourceFeatures(source.volume[at], source.compressed[at]), x_s[rows], batch

    def _render(self, source: SourceFeatures, x_s: F32, x_d: F32) -> NDArray[np.uint8]:
        n = len(x_d)
        with exact_inference():
            pictures = self._networks.generator(
                self._networks.warping(
                    source.volume.expand(n, -1, -1, -1, -1),
                    torch.from_numpy(x_d).to(self._device),
                    torch.from_numpy(x_s).to(self._device).expand(n, -1, -1),
                    source.compressed.expand(n, -1, -1, -1, -1),
                ).feature
            )
            check_pictures(pictures)
            # Float to integer truncates, as the published results do.
            pixels = (pictures * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
            frames: NDArray[np.uint8] = pixels.cpu().numpy()
            return frames

    def _batches(self, rows: NDArray[Scalar]) -> Iterator[NDArray[Scalar]]:
        for start in range(0, len(rows), self._batch):
            batch = rows[start : start + self._batch]
            lacking = self._batch - len(batch)
            yield np.concatenate([batch, np.repeat(batch[-1:], lacking, 0)]) if lacking else batch

    def _pictures(self, crops: NDArray[np.uint8]) -> Tensor:
        pixels = torch.tensor(crops, device=self._device).permute(0, 3, 1, 2)
        return (pixels.float() / 255).to(self._dtype)


class KeypointHeads:
    """The S networks on arrays, as `lp_ray.motion.retarget.Heads`.

    They run on the CPU in float64: they cost nothing, and rounding then does not depend on how many frames
    come together.
    """

    def __init__(self, networks: Networks) -> None:
        self._stitching, self._lip, self._eye = (
            head.to(torch.float64) for head in (networks.stitching, networks.lip, networks.eye)
        )

    def stitch(self, x_s: F32, x_d: F32) -> F32:
        """Return x_d (n x 21 x 3) moved so that shoulders stay where x_s (n x 21 x 3) has them."""
        with torch.inference_mode():
            return _float32(stitch(self._stitching, _float64(x_s), _float64(x_d)))

    def eye_delta(self, x_s: F32, ratios: F32) -> F32:
        """Return n x 21 x 3 for source left, source right and wanted eye ratio (n x 3)."""
        with torch.inference_mode():
            return _float32(retarget(self._eye, _float64(x_s), _float64(ratios)))

    def lip_delta(self, x_s: F32, ratios: F32) -> F32:
        """Return n x 21 x 3 for source and wanted lip ratio (n x 2)."""
        with torch.inference_mode():
            return _float32(retarget(self._lip, _float64(x_s), _float64(ratios)))


def check_pictures(pictures: Tensor) -> None:
    """Raise EngineOutputError unless every one of B x 3 x H x W pictures is finite and not black."""
    low, high = pictures.flatten(1).aminmax(dim=1)  # NaN wins in both
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
