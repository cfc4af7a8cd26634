"""Visitors of one studio: none meets another, and what they gave goes with them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from lp_ray import LivePortraitPipeline
from lp_ray.engine.protocol import EngineSpec
from lp_ray.studio import serve as serving
from lp_ray.studio.serve import Served
from lp_ray.studio.shared import Place
from lp_ray.studio.visitors import Visitors
from tests.browser import one_at_a_time
from tests.generated import Generated
from tests.studio.serving import UPLOAD_BYTES

pytestmark = one_at_a_time


def test_two_visitors_never_meet(served: Served, place: Place, generated: Generated) -> None:
    """Each edits a picture of their own, in turn; one cannot fetch what is in the other's folder."""
    one, other, third = (Client(served.address, verbose=False) for _ in range(3))
    one.predict(handle_file(str(generated.portrait)), api_name="/open")
    other.predict(handle_file(str(generated.closed_mouth)), api_name="/open")
    first, second, again = edited(one, smile=1), edited(other, smile=1), edited(one, smile=1)
    assert np.array_equal(first, again)
    assert first.shape != second.shape or not np.array_equal(first, second)
    picture, _, _ = third.predict(*_neutral(third), api_name="/edit")
    assert picture is None, "who has opened nothing sees nothing"
    assert len(list((place.scratch / "visitors").iterdir())) >= 3


def test_what_a_client_gave_and_got_goes_with_it(
    served: Served, place: Place, generated: Generated, tmp_path: Path
) -> None:
    """Over the interface: the upload and the edited picture, but not those of one who is still there."""

    def files() -> set[Path]:
        """Return those that hold anything: gradio leaves an empty one for each that it reads."""
        return {path for path in place.uploads.rglob("*") if path.is_file() and path.stat().st_size}

    stays, leaves, before = Client(served.address, verbose=False), Client(served.address, verbose=False), files()
    stays.predict(handle_file(str(generated.portrait)), api_name="/open")
    edited(stays, smile=1)
    kept = files()
    picture = cv2.imread(str(generated.closed_mouth))
    picture[:4] = 7  # nobody else has given this one
    cv2.imwrite(str(tmp_path / "own.png"), picture)
    leaves.predict(handle_file(str(tmp_path / "own.png")), api_name="/open")
    edited(leaves, smile=1)
    assert len(files()) >= len(kept) + 3, "the upload, the picture as it is, and edited"
    leaves.close()
    until(lambda: files() - kept == set())
    assert kept >= before
    stays.close()


def test_who_opens_nothing_after_another_picture_sees_nothing(served: Served, generated: Generated) -> None:
    """A picture without a face is no edit of the one before."""
    client = Client(served.address, verbose=False)
    client.predict(handle_file(str(generated.portrait)), api_name="/open")
    with pytest.raises(AppError, match="no face"):
        client.predict(handle_file(str(generated.cat)), api_name="/open")
    picture, _, _ = client.predict(*_neutral(client), api_name="/edit")
    assert picture is None


@pytest.mark.parametrize("path", ["run/open", "run/edit", "run/animate", "api/edit"])
def test_no_call_goes_past_the_queue(served: Served, place: Place, path: str) -> None:
    """It would have no session, so that all such calls were one visitor, and would run beside another's work."""
    before = set((place.scratch / "visitors").iterdir())
    for said in ({"data": []}, {"data": [], "session_hash": "mine"}, {"data": [], "fn_index": 3}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            posted(served, path, said)
        assert refused.value.code == 404
    assert set((place.scratch / "visitors").iterdir()) == before


def test_each_plain_call_is_a_visitor_of_its_own(served: Served, place: Place, generated: Generated) -> None:
    """gradio's documented form for curl: no session is given, and gradio makes one for each call."""
    client = Client(served.address, verbose=False)
    before = set((place.scratch / "visitors").iterdir())
    given = {"path": _uploaded(client, generated.portrait), "meta": {"_type": "gradio.FileData"}}
    assert '"path"' in called(served, "open", [given])
    answer = called(served, "edit", _neutral(client))
    assert answer.startswith("event: complete\ndata: [null, {}"), answer
    assert len(set((place.scratch / "visitors").iterdir()) - before) == 2


def test_what_is_made_for_a_client_that_left_goes_too(
    served: Served, place: Place, generated: Generated, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves while a pair is made; the pair is made to its end, and nothing of it stays."""
    begun, left, done = threading.Event(), threading.Event(), threading.Event()
    client = Client(served.address, verbose=False)
    animate, leaves = LivePortraitPipeline.animate, Visitors.leaves

    def slow(self: Any, source: Any, driving: Any, output: Path, **options: Any) -> Any:
        begun.set()
        left.wait(60)
        row = animate(self, source, driving, output, **options)
        done.set()
        return row

    def leaving(self: Visitors, session: str | None) -> None:
        leaves(self, session)
        if session == client.session_hash:
            left.set()

    monkeypatch.setattr(LivePortraitPipeline, "animate", slow)
    monkeypatch.setattr(Visitors, "leaves", leaving)
    visitors, uploads = place.scratch / "visitors", place.uploads
    before = {*visitors.iterdir(), *uploads.rglob("*.mp4")}
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/animate"]
    options = [each["parameter_default"] for each in endpoint["parameters"][2:]]
    client.submit(handle_file(str(generated.portrait)), handle_file(str(clip)), *options, api_name="/animate")
    assert begun.wait(60)
    client.close()
    assert left.wait(60) and done.wait(60), "the pair was made after its visitor had left"
    until(lambda: {*visitors.iterdir(), *uploads.rglob("*.mp4")} <= before)


def test_whose_leaving_is_not_noticed_goes_with_time(
    tmp_path: Path, generated: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain call has no heartbeat: its folder, its upload and what it was shown are swept."""
    monkeypatch.setattr(serving, "LOOK_S", 0.05)
    monkeypatch.setattr(serving, "KEPT_S", 0.0)
    here = Place(tmp_path / "out", tmp_path / "scratch", EngineSpec("preview"))
    here.output.mkdir()
    studio = serving.serve(here, "127.0.0.1", 0, None, UPLOAD_BYTES)
    try:
        client = Client(studio.address, verbose=False)
        given = {"path": _uploaded(client, generated.portrait), "meta": {"_type": "gradio.FileData"}}
        answer = called(studio, "open", [given])
        assert '"path"' in answer
        until(lambda: not any((here.scratch / "visitors").iterdir()))
        until(lambda: not any(path.stat().st_size for path in here.uploads.rglob("*") if path.is_file()))
    finally:
        studio.close()


def until(true: Callable[[], bool]) -> None:
    """Wait until it is. Raises AssertionError after half a minute."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def posted(served: Served, path: str, body: dict[str, Any]) -> Any:
    """Return what the page answers to JSON. Raises HTTPError."""
    request = urllib.request.Request(
        f"{served.address.rstrip('/')}/gradio_api/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def called(served: Served, name: str, data: list[Any]) -> str:
    """Return the events of a call without a session, as curl would print them."""
    event = posted(served, f"call/{name}", {"data": data})["event_id"]
    with urllib.request.urlopen(f"{served.address.rstrip('/')}/gradio_api/call/{name}/{event}", timeout=60) as answer:
        return str(answer.read().decode())


def _uploaded(client: Client, file: Path) -> str:
    """Return where the page keeps a file that is put there without a session."""
    with file.open("rb") as content:
        (path,) = httpx.post(client.upload_url, files={"files": content}, timeout=60).json()
    return str(path)


def edited(client: Client, **values: float) -> np.ndarray:
    """Return the picture of an edit over the interface."""
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/edit"]
    sliders = [values.get(each["label"], each["parameter_default"]) for each in endpoint["parameters"]]
    picture, _, _ = client.predict(*sliders, api_name="/edit")
    return np.asarray(cv2.imread(picture if isinstance(picture, str) else picture["path"]))


def _neutral(client: Client) -> list[Any]:
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/edit"]
    return [each["parameter_default"] for each in endpoint["parameters"]]
