"""The studio over its interface, as another process uses it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
from gradio_client import Client, handle_file

from examples.studio_client import animate
from lp_ray.engine.protocol import EngineSpec
from lp_ray.studio.serve import Served, serve
from lp_ray.studio.shared import Place
from tests.browser import one_at_a_time
from tests.generated import Generated
from tests.studio.serving import UPLOAD_BYTES, small

pytestmark = one_at_a_time


def test_another_process_animates(served: Served, generated: Generated, clip: Path, tmp_path: Path) -> None:
    """examples/studio_client.py, with an option; the file is a video of the clip's length."""
    row = animate(served.address, str(generated.portrait), str(clip), str(tmp_path / "out.mp4"), driving_multiplier=0.5)
    assert row["status"] == "done" and row["n_frames"] == 8 and row["options"]["driving_multiplier"] == 0.5
    capture = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 8


def test_the_interface_names_its_options(served: Served) -> None:
    endpoints = Client(served.address, verbose=False).view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/animate", "/open", "/edit"}
    assert "driving_multiplier" in json.dumps(endpoints["/animate"])


def test_a_video_s_lips_over_the_interface(tmp_path: Path, generated: Generated) -> None:
    """The tab Video lips, with LivePortrait's networks from a seed: as many frames as the video has."""
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()
    engine = EngineSpec("liveportrait", weights="seeded", size="tiny")
    studio = serve(Place(tmp_path / "out", tmp_path / "scratch", engine), "127.0.0.1", 0, None, UPLOAD_BYTES)
    try:
        film = small(tmp_path / "film.mp4", generated.film)
        client = Client(studio.address, verbose=False)
        made = client.predict(handle_file(str(film)), 0.4, 3e-6, False, api_name="/lips")
        path = made["video"] if isinstance(made, dict) else made
        assert int(cv2.VideoCapture(path).get(cv2.CAP_PROP_FRAME_COUNT)) == 8
    finally:
        studio.close()


def test_two_studios_of_one_process_keep_their_uploads(served: Served, tmp_path: Path, generated: Generated) -> None:
    """gradio has one folder a process: the elder takes uploads again when the younger is closed."""
    serve(Place(tmp_path, tmp_path, EngineSpec("preview")), "127.0.0.1", 0, None, UPLOAD_BYTES).close()
    client = Client(served.address, verbose=False)
    client.predict(handle_file(str(generated.portrait)), api_name="/open")
    assert not (tmp_path / "uploads").exists()
