"""Download the official files from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download

from lp_ray.base.errors import WeightsError
from lp_ray.contract.variants import Variant
from lp_ray.models.artefacts import HUB_REPOSITORY, HUB_REVISION, artefacts_of


def download_official(
    variants: Sequence[Variant],
    folder: Path | None = None,
    revision: str = HUB_REVISION,
    endpoint: str | None = None,
) -> Path:
    """Download the official files of some variants and return the folder that holds them.

    They are stored in `folder`, or in the hub's own cache. Interrupted downloads resume; existing files are not fetched
    again. A file that the hub does not have is left out. `endpoint` is the address of a mirror. Raises WeightsError if
    the hub cannot be reached, refuses access, or does not have the revision.
    """
    sources = sorted({artefact.source for variant in variants for artefact in artefacts_of(variant) if artefact.in_hub})
    try:
        return Path(
            snapshot_download(
                HUB_REPOSITORY, revision=revision, local_dir=folder, allow_patterns=sources, endpoint=endpoint
            )
        )
    except (OSError, ValueError) as error:  # the hub's own errors are OSErrors
        reason = str(error).partition("\n")[0]
        raise WeightsError(
            f"cannot download {HUB_REPOSITORY} at {revision} ({type(error).__name__}: {reason}): without a way to "
            "the hub, download it on another machine, copy it over and run python -m jobs.weights import input=FOLDER "
            "store=…"
        ) from error
