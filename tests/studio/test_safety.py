"""What the studio must refuse: hostile files, paths of this machine, uploads that are too large."""

from __future__ import annotations

import pickle
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from lp_ray.studio.serve import Served
from lp_ray.studio.shared import Place
from tests.browser import browser, needs_browser, one_at_a_time
from tests.generated import Generated
from tests.studio.serving import UPLOAD_BYTES
from tests.studio.visit import Visit, visit

__all__ = ["browser", "visit"]

pytestmark = one_at_a_time


@needs_browser
def test_hostile_names_and_files_are_told_as_text(visit: Visit, generated: Generated, clip: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("evil",))

    page, name = visit.page, "<img src=x onerror=alert(1)>"
    visit.give("source", {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture"})
    visit.give("driving", clip)
    page.click("#animate")
    visit.said("source")
    page.reload()
    visit.give("source", generated.portrait)
    visit.give("driving", {"name": "evil.pkl", "mimeType": "application/octet-stream", "buffer": pickle.dumps(Evil())})
    page.click("#animate")
    visit.said("TemplateError")
    page.reload()
    visit.give("source", generated.portrait)
    visit.give("driving", {"name": "text.mp4", "mimeType": "video/mp4", "buffer": b"just text " * 50})
    page.click("#animate")
    visit.said("UnreadableMediaError")
    assert visit.alarms == [] and page.locator("img[onerror]").count() == 0


def test_only_what_belongs_to_the_page_is_served(served: Served, place: Place, tmp_path: Path) -> None:
    secret = place.scratch / "visitors" / "somebody" / "secret.txt"
    secret.parent.mkdir(parents=True)
    for file in (secret, place.output / "plain.txt", tmp_path / "outside.txt"):
        file.write_text("secret")
    for path in (secret, tmp_path / "outside.txt", Path("/etc/passwd"), Path(__file__)):
        assert fetched(served, f"/gradio_api/file={path}") in (403, 404), path
    for path in (
        "/outputs/../scratch/visitors/somebody/secret.txt",
        "/outputs/%2e%2e/scratch/",
        "/outputs//etc/passwd",
    ):
        assert fetched(served, path) in (403, 404, 400), path
    (place.output / "link").symlink_to(tmp_path)
    assert fetched(served, "/outputs/link/outside.txt") in (403, 404)
    (place.output / "link").unlink()


def test_a_path_of_this_machine_is_no_upload(served: Served) -> None:
    client = Client(served.address, verbose=False)
    for path in ("/etc/passwd", str(Path(__file__))):
        forged = {"path": path, "meta": {"_type": "gradio.FileData"}}
        with pytest.raises((AppError, ValueError)):
            client.predict(forged, api_name="/open")


def test_an_upload_that_is_too_large_is_refused(served: Served) -> None:
    boundary = "x" * 20
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'.encode()
        + b"\0" * (UPLOAD_BYTES + 1_000_000)
        + f"\r\n--{boundary}--\r\n".encode()
    )
    request = urllib.request.Request(
        served.address.rstrip("/") + "/gradio_api/upload",
        data=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 413


def fetched(served: Served, path: str) -> int:
    """Return the status of a request."""
    try:
        with urllib.request.urlopen(served.address.rstrip("/") + path, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
