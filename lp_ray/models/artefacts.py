"""The files of LivePortrait's weights: official name, name in a store, hash, licence.

Layout: hub repository KlingTeam/LivePortrait (formerly KwaiVGI/LivePortrait).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lp_ray.base.errors import RefusedError
from lp_ray.contract.variants import Variant

HUB_REPOSITORY = "KlingTeam/LivePortrait"
HUB_REVISION = "82a4fa6735ca58432b6ce39301b4b9ee066dea47"
"""The commit to pull by default. A branch would not do: its content may change under the same name."""

CODE_REPOSITORY = (
    "https://raw.githubusercontent.com/KlingAIResearch/LivePortrait/9b294b3d0536135442ea73cb01e6cb3ca7029dd3"
)
"""The repository of the code, for files that the hub does not have (its owner was formerly KwaiVGI)."""

Kind = Literal["network", "stitching", "xpose", "onnx", "prompts"]
Licence = Literal["LivePortrait", "insightface", "X-Pose", "prompts"]

LICENCES: dict[Licence, str] = {
    "LivePortrait": "LivePortrait weights (KlingTeam): MIT licence",
    "insightface": "insightface models (buffalo_l): non-commercial research only, github.com/deepinsight/insightface",
    "X-Pose": "X-Pose weights (IDEA Research): non-commercial use only, github.com/IDEA-Research/X-Pose",
    "prompts": "text features of X-Pose's prompts (LivePortrait's repository, made with OpenAI's CLIP): MIT licence",
}


@dataclass(frozen=True)
class Artefact:
    """One weight file. `name` is its path in a store, `source` its path in the official layout."""

    name: str
    source: str
    variants: tuple[Variant, ...]
    kind: Kind
    licence: Licence = "LivePortrait"

    @property
    def required(self) -> bool:
        """Whether the engine needs it. The other files are for detectors that other settings choose."""
        return self.kind in ("network", "stitching")

    @property
    def in_hub(self) -> bool:
        """Whether the hub's repository has it. The other files are in the code's repository."""
        return self.kind != "prompts"

    @property
    def model(self) -> str:
        """The paper's letter for the model: F, M, W, G or S."""
        return self.name.rpartition("/")[2].partition(".")[0]


HUMAN: tuple[Variant, ...] = ("human",)
ANIMAL: tuple[Variant, ...] = ("animal",)
BOTH: tuple[Variant, ...] = ("human", "animal")

ARTEFACTS = (
    Artefact("human/F.safetensors", "liveportrait/base_models/appearance_feature_extractor.pth", HUMAN, "network"),
    Artefact("human/M.safetensors", "liveportrait/base_models/motion_extractor.pth", HUMAN, "network"),
    Artefact("human/W.safetensors", "liveportrait/base_models/warping_module.pth", HUMAN, "network"),
    Artefact("human/G.safetensors", "liveportrait/base_models/spade_generator.pth", HUMAN, "network"),
    Artefact(
        "shared/S.safetensors",
        "liveportrait/retargeting_models/stitching_retargeting_module.pth",
        BOTH,
        "stitching",
    ),
    Artefact("shared/landmark.onnx", "liveportrait/landmark.onnx", BOTH, "onnx"),
    Artefact("shared/det_10g.onnx", "insightface/models/buffalo_l/det_10g.onnx", BOTH, "onnx", "insightface"),
    Artefact("shared/2d106det.onnx", "insightface/models/buffalo_l/2d106det.onnx", BOTH, "onnx", "insightface"),
    Artefact("shared/w600k_r50.onnx", "insightface/models/buffalo_l/w600k_r50.onnx", BOTH, "onnx", "insightface"),
    Artefact(
        "animal/F.safetensors",
        "liveportrait_animals/base_models_v1.1/appearance_feature_extractor.pth",
        ANIMAL,
        "network",
    ),
    Artefact("animal/M.safetensors", "liveportrait_animals/base_models_v1.1/motion_extractor.pth", ANIMAL, "network"),
    Artefact("animal/W.safetensors", "liveportrait_animals/base_models_v1.1/warping_module.pth", ANIMAL, "network"),
    Artefact("animal/G.safetensors", "liveportrait_animals/base_models_v1.1/spade_generator.pth", ANIMAL, "network"),
    Artefact("animal/xpose.safetensors", "liveportrait_animals/xpose.pth", ANIMAL, "xpose", "X-Pose"),
    Artefact("animal/prompts_9.npz", "src/utils/resources/clip_embedding_9.pkl", ANIMAL, "prompts", "prompts"),
    Artefact("animal/prompts_68.npz", "src/utils/resources/clip_embedding_68.pkl", ANIMAL, "prompts", "prompts"),
)


@dataclass(frozen=True)
class Pin:
    """Hash and size in bytes of an official file."""

    sha256: str
    size: int


PINS: dict[str, Pin] = {
    "liveportrait/base_models/appearance_feature_extractor.pth": Pin(
        "5279bb8654293dbdf327030b397f107237dd9212fb11dd75b83dfb635211ceb5", 3387959
    ),
    "liveportrait/base_models/motion_extractor.pth": Pin(
        "251e6a94ad667a1d0c69526d292677165110ef7f0cf0f6d199f0e414e8aa0ca5", 112545506
    ),
    "liveportrait/base_models/warping_module.pth": Pin(
        "2f61a6f265fe344f14132364859a78bdbbc2068577170693da57fb96d636e282", 182180086
    ),
    "liveportrait/base_models/spade_generator.pth": Pin(
        "4780afc7909a9f84e24c01d73b31a555ef651521a1fe3b2429bd04534d992aee", 221813590
    ),
    "liveportrait/retargeting_models/stitching_retargeting_module.pth": Pin(
        "3652d5a3f95099141a56986aaddec92fadf0a73c87a20fac9a2c07c32b28b611", 2393098
    ),
    "liveportrait/landmark.onnx": Pin("31d22a5041326c31f19b78886939a634a5aedcaa5ab8b9b951a1167595d147db", 114666491),
    "insightface/models/buffalo_l/det_10g.onnx": Pin(
        "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91", 16923827
    ),
    "insightface/models/buffalo_l/2d106det.onnx": Pin(
        "f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf", 5030888
    ),
    "insightface/models/buffalo_l/w600k_r50.onnx": Pin(
        "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43", 174383860
    ),
    "src/utils/resources/clip_embedding_9.pkl": Pin(
        "4982ea59b74a72fa210f544d20540cb94cd3912f3824d3df3a6feb30b1d2633b", 10923
    ),
    "src/utils/resources/clip_embedding_68.pkl": Pin(
        "a7face6b75009a4d29290a7a2ba8ce888057036e658e91cfe8482a67abcb06f1", 71352
    ),
}
"""By path in the official layout. Source: git-lfs pointers of a public copy of the hub repository; of w600k_r50.onnx,
which that repository lacks, the hash that many public projects pin for the file in insightface's buffalo_l.zip.

The hashes of the animals' networks and of X-Pose are not known. A store's lock records them at the first import, and
refuses other files from then on.
"""


def artefact_of_model(model: str) -> Artefact:
    """Return the artefact of a model (F, M, W, G, S, xpose, prompts_9 or _68). Raises RefusedError for other names."""
    known = {artefact.model: artefact for artefact in reversed(ARTEFACTS) if artefact.kind != "onnx"}
    if model not in known:
        raise RefusedError(f"model={model!r} must be one of {', '.join(sorted(known))}")
    return known[model]


def artefacts_of(variant: Variant) -> tuple[Artefact, ...]:
    """Return the files of a variant, including shared ones."""
    return tuple(artefact for artefact in ARTEFACTS if variant in artefact.variants)
