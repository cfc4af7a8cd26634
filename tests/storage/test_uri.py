"""What users may type as a path or URI, and the normalised form of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray import storage
from lp_ray.base.errors import SchemeNotAllowedError
from lp_ray.storage.uri import local_path


def test_local_forms_of_one_file_are_one_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    typed = ["a b.jpg", "./x/../a b.jpg", str(tmp_path / "a b.jpg"), f"file://{tmp_path}/a b.jpg"]
    typed += [f"file://localhost{tmp_path}/a b.jpg", f"/{tmp_path}/a b.jpg"]
    assert {storage.normalise(t) for t in typed} == {f"file://{tmp_path}/a b.jpg"}


def test_variables_and_special_characters_of_paths_are_literal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    for path in ("/x/$HOME/*.jpg", "/x/a b?c#d.jpg", "/x/100%.jpg"):
        assert storage.normalise(path) == f"file://{path}"
    assert storage.normalise("~/a.jpg") == "file:///home/someone/a.jpg"


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("file:///x/a%20b.jpg", "/x/a b.jpg"),
        ("file:/x/a%20b.jpg", "/x/a b.jpg"),
        ("file://localhost/x/%E7%85%A7.jpg", "/x/照.jpg"),
        ("file:///x/100%.jpg", "/x/100%.jpg"),
        ("file:///x/%2541.jpg", "/x/%41.jpg"),
        ("/x/%41.jpg", "/x/%41.jpg"),
        ("/x/a%20b.jpg", "/x/a%20b.jpg"),
        ("/x/caf\udce9%41.jpg", "/x/caf\udce9%41.jpg"),
        ("file:///x/caf%E9.jpg", "/x/caf\udce9.jpg"),
    ],
)
def test_file_uris_are_decoded_and_paths_are_not(typed: str, path: str) -> None:
    """Every file has one URI, whatever its name. The URI is text, leads back to the file, and normalising does not
    change it."""
    uri = storage.normalise(typed)
    assert local_path(uri) == path
    assert storage.normalise(uri) == uri == storage.normalise(path)
    assert uri.encode() and storage.name_of(uri) == path.rpartition("/")[2]


def test_a_joined_name_is_literal() -> None:
    uri = storage.join("file:///x", "%41.jpg")
    assert (local_path(uri), storage.name_of(uri)) == ("/x/%41.jpg", "%41.jpg")
    assert storage.join("s3://b/x", "%41.jpg") == "s3://b/x/%41.jpg"


def test_escapes_lead_nowhere_that_a_path_does_not() -> None:
    with pytest.raises(SchemeNotAllowedError, match="NUL"):
        storage.normalise("file:///x/%00.jpg")
    assert storage.normalise("file:///in/%2e%2e/a.jpg") == "file:///a.jpg"


def test_what_cannot_be_seen_is_shown() -> None:
    assert storage.shown("file:///x/a b.jpg") == "/x/a b.jpg"
    assert storage.shown("file:///x/a.jpg ") == "'/x/a.jpg '"
    assert storage.shown("file:///x/caf%E9.jpg") == "'/x/caf\\udce9.jpg'"
    assert storage.shown("s3://b/k?sig=cafe") == "s3://b/k?sig=***"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1) | st.text("%aA4\udce9"))
def test_a_normalised_path_stays_as_it_is(name: str) -> None:
    uri = storage.normalise("/folder/" + name)
    assert storage.normalise(uri) == uri
    path = local_path(uri)
    assert path is not None
    assert storage.normalise(path) == uri


@pytest.mark.parametrize(
    "uri",
    [
        *("simplecache::s3://b/k", "zip://a.jpg::s3://b/k.zip", "filecache::zip://x::http://h/y", "s3://b/a::b"),
        *("s3://KEY:SECRET@bucket/k", "https://user:pw@host/x", "a\0b.jpg"),
    ],
)
def test_chains_credentials_and_nul_are_refused_without_showing_secrets(uri: str) -> None:
    with pytest.raises(SchemeNotAllowedError) as caught:
        storage.normalise(uri)
    assert "SECRET" not in str(caught.value)
    assert "pw" not in str(caught.value)


def test_a_double_colon_in_a_local_name_is_just_a_name() -> None:
    assert storage.normalise("/x/a::b.jpg") == "file:///x/a::b.jpg"
    assert storage.normalise("file:///x/a::b.jpg") == "file:///x/a::b.jpg"


def test_messages_hide_signatures() -> None:
    shown = storage.display("https://h/x?v=1&X-Amz-Credential=AKIA&X-Amz-Signature=feed&sig=beef end")
    assert shown == "https://h/x?v=1&X-Amz-Credential=***&X-Amz-Signature=***&sig=*** end"
