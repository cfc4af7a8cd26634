"""Inputs are untrusted files with untrusted names: what they may read, cost, change or show."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from lp_ray import storage
from lp_ray.base.errors import InputChangedError, InputError, InputTooLargeError, TemplateError
from lp_ray.base.limits import Limits
from lp_ray.contract.failure import Failure
from lp_ray.motion.template import TemplateHeader, TemplateReader, read_header, write_template
from lp_ray.output import results
from lp_ray.storage import web
from lp_ray.storage.policy import is_public
from tests.generated import Generated
from tests.running import RunJob, write_manifest


@pytest.mark.parametrize(
    "address",
    [
        *("64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:10.0.0.1", "fe80::1%eth0", "ff02::1", "224.0.0.1"),
        *("169.254.170.2", "fd00:ec2::254", "100.100.100.200", "::1", "::"),
    ],
)
def test_private_addresses_are_known_in_every_disguise(address: str) -> None:
    """Link-local, private and metadata addresses, also wrapped in IPv6 (mapped, 6to4, NAT64), are never public."""
    assert not is_public(address)
    assert is_public("64:ff9b::808:808") and is_public("93.184.216.34")


class _Endless(BaseHTTPRequestHandler):
    """Sends for as long as anybody reads, and never says how much it will be."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            return

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(web, "is_public", lambda address: address == "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), _Endless)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/a.jpg"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_ends_at_the_limit_whatever_the_server_announces(endless: str) -> None:
    """A web server that never says how long its answer is, and never ends it, does not fill the disk."""
    with pytest.raises(InputTooLargeError, match="max_bytes"), storage.local_copy(endless, Limits(max_bytes=1 << 20)):
        pass


def test_a_failure_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever message a library makes from a URI or the environment, the row's text contains no credentials."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-key")
    monkeypatch.setenv("HF_TOKEN", "hf_t0ken")
    text = "GET https://me:passw0rd@host/x?X-Amz-Signature=feedbeef&v=1 with s3cr3t-key and hf_t0ken failed"
    shown = Failure.of("source", OSError(text)).error
    assert not any(secret in shown for secret in ("passw0rd", "feedbeef", "s3cr3t-key", "hf_t0ken"))
    assert "host/x" in shown and "v=1" in shown


def test_signed_and_private_uris_leave_no_trace_in_results_and_output(tmp_path: Path, call_job: RunJob) -> None:
    """URIs with a password or a signature fail (or are not allowed), and neither the table nor the terminal holds
    what is secret in them."""
    uris = [
        "https://me:passw0rd@example.org/a.jpg",
        "https://example.org/a.jpg?X-Amz-Signature=feedbeef",
        "/no/x?sig=ab",
    ]
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": uri, "source_id": str(i)} for i, uri in enumerate(uris)])
    drivings = write_manifest(tmp_path / "d.parquet", [{"uri": "/no.mp4?sig=cafecafe", "driving_id": "d"}])
    ended = call_job("animate", f"sources={sources}", f"drivings={drivings}", f"output={tmp_path / 'out'}")
    assert ended.code == 3, ended.output
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for secret in ("passw0rd", "feedbeef", "cafecafe"):
        assert secret not in ended.output and secret.encode() not in written


def test_an_input_that_changes_after_the_plan_is_refused(tmp_path: Path) -> None:
    """A result's key names the version of its inputs: other bytes are no result of that key, but an error that says
    so; the same bytes are read."""
    uri = storage.normalise(str(tmp_path / "a.jpg"))
    storage.put_bytes(uri, b"planned")
    (version,) = storage.version_tags([uri])
    assert version is not None
    with storage.local_copy(uri, Limits(), version) as path:
        assert path.read_bytes() == b"planned"
    storage.put_bytes(uri, b"other bytes")
    with pytest.raises(InputChangedError, match=r"a\.jpg has changed since the job was planned.*run the job again"):
        storage.local_copy(uri, Limits(), version).__enter__()
    storage.delete(uri)
    with pytest.raises(InputError):
        storage.local_copy(uri, Limits(), version).__enter__()


def test_an_object_that_changes_after_the_plan_is_refused(s3_bucket: str) -> None:
    """The same on S3, where the bytes are fetched first and the version is compared afterwards."""
    uri = f"s3://{s3_bucket}/a.jpg"
    storage.put_bytes(uri, b"planned")
    (version,) = storage.version_tags([uri])
    assert version is not None
    with storage.local_copy(uri, Limits(), version) as path:
        assert path.read_bytes() == b"planned"
    storage.put_bytes(uri, b"changed")
    with pytest.raises(InputChangedError):
        storage.local_copy(uri, Limits(), version).__enter__()


def test_an_input_replaced_between_plan_and_read_fails_its_pair(
    tmp_path: Path, generated: Generated, call_job: RunJob
) -> None:
    """A manifest that states an older version than the file has: a failed row that names the file and the remedy."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(generated.portrait.read_bytes())
    sources = [
        {"uri": str(tmp_path / "a.jpg"), "source_id": "a", "version": "1-1"},
        {"uri": str(tmp_path / "b.jpg"), "source_id": "b", "version": None},
    ]
    drivings = write_manifest(tmp_path / "d.parquet", [{"uri": str(tmp_path / "b.jpg"), "driving_id": "d"}])
    ended = call_job(
        "animate",
        f"sources={write_manifest(tmp_path / 's.parquet', sources)}",
        f"drivings={drivings}",
        f"output={tmp_path / 'out'}",
        "runtime=inline",
    )
    assert ended.code == 3, ended.output
    rows = {row["source_id"]: row for row in results.read_results(str(tmp_path / "out")).to_pylist()}
    assert rows["b"]["status"] == "done"
    assert (rows["a"]["stage"], rows["a"]["error_class"]) == ("source", "InputChangedError")
    assert "a.jpg has changed since the job was planned with version 1-1" in rows["a"]["error"]


def _template(path: Path, header: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.npy", header)
    return path


def _npy(shape: tuple[int, ...], data: bytes) -> bytes:
    sink = io.BytesIO()
    np.lib.format.write_array_header_1_0(sink, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return sink.getvalue() + data


@pytest.mark.parametrize(
    "header",
    [
        _npy((1 << 44,), b"{}"),
        _npy((2, 1), b"{}"),
        _npy((2,), b"{"),
        _npy((), b"{"),
        b"\x93NUMPY\x03\x00",
        _npy(
            (126,),
            b'{"engine":"e","engine_digest":"","landmarker_digest":"","fps_numerator":25,"fps_denominator":1,'
            b'"n_frames":1e9,"missing_frames":[]}'.ljust(126),
        ),
    ],
)
def test_a_forged_template_is_refused_before_it_costs_anything(tmp_path: Path, header: bytes) -> None:
    """A header that announces terabytes, lies about its length or holds fractions of frames is a TemplateError."""
    path = _template(tmp_path / "t.npz", header)
    with path.open("rb") as file, pytest.raises(TemplateError):
        read_header(file)
    with pytest.raises(TemplateError):
        TemplateReader(path)


def test_a_template_of_pickled_objects_is_refused(tmp_path: Path) -> None:
    """An .npz may hold pickles: none is ever loaded."""
    path = tmp_path / "t.npz"
    write_template(path, TemplateHeader("preview", "e", "l", 25, 1, 1), [{"exp": np.zeros((1, 3), np.float32)}])
    sink = io.BytesIO()
    np.save(sink, np.array([print], object), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("forged.npy", sink.getvalue())
    with pytest.raises(TemplateError, match="anything but plain numbers"):
        TemplateReader(path)
