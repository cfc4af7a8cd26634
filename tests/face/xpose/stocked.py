"""A weight store with X-Pose at its full size, on seeded weights that tell portraits from plain pictures.

Seeded weights find nothing that is there: points and scores are those of noise. Three changes to the recipe make
them fit for tests of the path around them, whose graph stays the official one:

- The text's last norm gives a fixed vector, so that scores do not hang on how the text read the picture.
- The bias of the proposals' projection points away from it, so that border cells, which are no proposals (their box is
  the picture's far corner), rank last, as trained weights see to.
- The vector is one of those under which pictures of animals score about 0.3 to 0.5 and plain ones under 0.02, on
  either side of xpose.min_score; the difference is that between much and little texture, not between cat and no cat.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import safetensors.torch
import torch

from lp_ray.face.xpose.identity import WEIGHTS, prompts_name
from lp_ray.face.xpose.prompts import prompts_to_npz
from lp_ray.face.xpose.seeded import seeded_checkpoint, seeded_prompts
from lp_ray.face.xpose.weights import own_tensors
from lp_ray.models.artefacts import LICENCES
from lp_ray.models.store import LockEntry, WeightStore

TEXT_SEED = 2


def stock_xpose(place: str, points: tuple[int, ...] = (9, 68)) -> WeightStore:
    """Make a weight store that holds X-Pose and prompts of so many points, and nothing else."""
    tensors = seeded_checkpoint()
    text = torch.randn(256, generator=torch.Generator().manual_seed(TEXT_SEED))
    text -= text.mean()
    tensors["transformer.encoder.text_layers.5.norm2.weight"] = torch.zeros(256)
    tensors["transformer.encoder.text_layers.5.norm2.bias"] = text
    tensors["transformer.enc_output.bias"] = -0.3 * text
    own, _ = own_tensors(tensors, "seeded")

    def files() -> Iterator[tuple[str, bytes, LockEntry]]:
        yield _entry(WEIGHTS, safetensors.torch.save(own), LICENCES["X-Pose"])
        for n in points:
            yield _entry(prompts_name(n), prompts_to_npz(seeded_prompts(n)), LICENCES["prompts"])

    WeightStore(place).write(files())
    return WeightStore(place)


def _entry(name: str, data: bytes, licence: str) -> tuple[str, bytes, LockEntry]:
    sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    return name, data, LockEntry(sha256, size, name, sha256, size, "other", licence)
