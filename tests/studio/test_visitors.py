"""Visitors of one studio: none meets another, and what they gave goes with them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from gradio_client import Client, handle_file

from lp_ray.studio.serve import Served
from lp_ray.studio.shared import Place
from tests.browser import one_at_a_time
from tests.generated import Generated

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
    end = time.monotonic() + 30
    while files() - kept and time.monotonic() < end:
        time.sleep(0.2)
    assert files() - kept == set() and kept >= before
    stays.close()


def edited(client: Client, **values: float) -> np.ndarray:
    """Return the picture of an edit over the interface."""
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/edit"]
    sliders = [values.get(each["label"], each["parameter_default"]) for each in endpoint["parameters"]]
    picture, _, _ = client.predict(*sliders, api_name="/edit")
    return np.asarray(cv2.imread(picture if isinstance(picture, str) else picture["path"]))


def _neutral(client: Client) -> list[Any]:
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/edit"]
    return [each["parameter_default"] for each in endpoint["parameters"]]
