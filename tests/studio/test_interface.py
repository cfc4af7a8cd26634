"""The studio over its interface, as another process uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
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


@pytest.mark.parametrize(
    ("kind", "video", "picture", "compared"),
    [("mp4", ".mp4", None, ".mp4"), ("gif", None, ".gif", ".mp4"), ("webm", ".webm", None, None)],
)
def test_the_file_is_the_result_and_a_comparison_comes_beside_it(
    served: Served, generated: Generated, clip: Path, kind: str, video: str | None, picture: str | None, compared: Any
) -> None:
    """`comparison=true` takes nothing away; each is answered as what a browser shows it as."""
    answer = animated(Client(served.address, verbose=False), generated, clip, kind, compared is not None)
    of_result, of_comparison = answer[:2], answer[4:]
    assert [suffix(each) for each in of_result] == [video, picture]
    assert [suffix(each) for each in of_comparison] == [compared, None]
    file, row = answer[2:4]
    assert suffix(file) == f".{kind}" == Path(row["file"]).suffix and ("comparison" in row) == bool(compared)
    assert cv2.VideoCapture(place(file)).get(cv2.CAP_PROP_FRAME_WIDTH) == row["width"], "the comparison is wider"
    shown = next(each for each in of_result if each)
    assert Path(place(file)).read_bytes() == Path(place(shown)).read_bytes()


def test_what_no_browser_plays_is_a_file_beside_its_comparison(
    served: Served, generated: Generated, clip: Path
) -> None:
    answer = animated(Client(served.address, verbose=False), generated, clip, "frames", True)
    assert [suffix(each) for each in answer if not isinstance(each, dict) or "kind" not in each] == [
        *(None, None, ".zip", ".mp4", None)
    ]


def animated(client: Client, generated: Generated, clip: Path, kind: str, comparison: bool) -> tuple[Any, ...]:
    """Return all that the interface answers to a pair."""
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/animate"]
    given = {"format": kind, "comparison": comparison}
    options = [given.get(each["label"], each["parameter_default"]) for each in endpoint["parameters"][2:]]
    files = (handle_file(str(path)) for path in (generated.portrait, clip))
    return tuple(client.predict(*files, *options, api_name="/animate"))


def place(answered: Any) -> str:
    """Return where the client has put a file: it may come in a dict, with subtitles or size."""
    if isinstance(answered, dict):
        return str(answered.get("video") or answered.get("path"))
    return str(answered)


def suffix(answered: Any) -> str | None:
    return None if answered is None else Path(place(answered)).suffix


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
