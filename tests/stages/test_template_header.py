"""A template's length is read from its header: a few kilobytes, wherever the store is and however long the clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from s3fs.core import S3File

from lp_ray import storage
from lp_ray.base.errors import MissingInputError, TemplateError
from lp_ray.motion.template import HEADER_AHEAD, TemplateHeader, write_template
from lp_ray.stages.media import template_header

N_FRAMES = 600
HEADER = TemplateHeader("preview", "e", "l", 30000, 1001, N_FRAMES, tuple(range(0, N_FRAMES, 3)), (640, 480))


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A template store."""
    if request.param == "local":
        return storage.normalise(str(tmp_path))
    return f"s3://{request.getfixturevalue('s3_bucket')}"


def test_only_the_header_is_read(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 3.4 MB of motion; S3's client would read 50 MB ahead."""
    write_template(tmp_path / "long.npz", HEADER, [{"points": np.zeros((N_FRAMES, 478, 3), np.float32)}])
    uri = storage.join(root, "key.npz")
    storage.put_file(tmp_path / "long.npz", uri)
    read: list[int] = []
    fetch = S3File._fetch_range

    def counted(file: Any, start: int, end: int) -> bytes:
        data: bytes = fetch(file, start, end)
        read.append(len(data))
        return data

    monkeypatch.setattr(S3File, "_fetch_range", counted)
    assert template_header(uri) == HEADER
    assert bool(read) == root.startswith("s3:")
    assert sum(read) < 3 * HEADER_AHEAD < (tmp_path / "long.npz").stat().st_size


def test_what_is_no_template_is_said(root: str) -> None:
    gone, text = (storage.join(root, name) for name in ("gone.npz", "text.npz"))
    storage.put_bytes(text, b"no template")
    with pytest.raises(MissingInputError, match=r"nothing at .*gone\.npz"):
        template_header(gone)
    with pytest.raises(TemplateError, match="too short"):
        template_header(text)
