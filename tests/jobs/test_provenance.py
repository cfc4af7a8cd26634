"""`provenance=c2pa`: results are signed, the row holds the claim, and an altered byte is noticed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import lp_ray
from lp_ray.base.errors import RefusedError
from lp_ray.media.credentials import read_claim
from tests.certificates import write_chain
from tests.generated import Generated
from tests.jobs.conftest import Call

pytestmark = pytest.mark.slow


def files_of(output: Path) -> dict[str, Path]:
    table = lp_ray.read_results(output).to_pylist()
    return {row["pair_id"]: Path(row["video_uri"].removeprefix("file://")) for row in table if row["video_uri"]}


@pytest.mark.parametrize("kind", ["mp4", "gif", "png"])
def test_a_signed_result_is_read_back_and_an_altered_byte_is_noticed(
    tmp_path: Path, call: Call, generated: Generated, kind: str
) -> None:
    chain, key = write_chain(tmp_path)
    driving = "none" if kind == "png" else f"{generated.clip} end_s=0.2"
    typed = f"animate source={generated.portrait} driving={driving} output={tmp_path / 'out'}"
    typed += "" if kind == "png" else f" format={kind}"
    signing = f" provenance=c2pa provenance_certificate={chain} provenance_key={key}"
    ended = call(typed + signing)
    assert ended.code == 0, ended.output
    (row,) = lp_ray.read_results(tmp_path / "out").to_pylist()
    path = Path(row["video_uri"].removeprefix("file://"))
    claim = json.loads(row["credentials"])
    assert read_claim(path) == claim
    assert (claim["issuer"], claim["signer"]) == ("lp_ray tests", "signer")
    assert claim["origin"].endswith("/algorithmicallyEnhanced")
    data = path.read_bytes()
    assert (row["bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest()), "signed, then measured"
    altered = tmp_path / f"altered.{kind}"
    altered.write_bytes(data[:-40] + bytes([data[-40] ^ 1]) + data[-39:])
    with pytest.raises(RefusedError, match=r"altered\..*(invalid|no content credentials)"):
        read_claim(altered)
    assert "nothing to do" in call(typed + signing).output
    plain = call(typed)
    assert plain.code == 0 and len(files_of(tmp_path / "out")) == 2, "an unsigned result is another pair"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("provenance=c3pa", "provenance='c3pa' must be one of none, c2pa"),
        ("provenance=c2pa", "provenance=c2pa needs provenance_certificate=…"),
        ("provenance_key={key}", "provenance_key has no effect without provenance=c2pa"),
        ("{signing} provenance_algorithm=rot13", "provenance_algorithm='rot13' must be one of es256"),
        (
            "provenance=c2pa provenance_certificate=nowhere.pem provenance_key={key}",
            "provenance_certificate: nothing at",
        ),
        ("{signing} format=frames", "format='frames' cannot hold content credentials"),
        ("{signing} format=webm alpha=keep", "format='webm' cannot hold content credentials"),
        ("{signing} alpha=keep", "alpha='keep' makes a WebM, which cannot hold content credentials"),
    ],
)
def test_what_cannot_sign_is_refused_before_any_work(
    tmp_path: Path, call: Call, generated: Generated, typed: str, reason: str
) -> None:
    chain, key = write_chain(tmp_path)
    signing = f"provenance=c2pa provenance_certificate={chain} provenance_key={key}"
    words = typed.format(key=key, signing=signing)
    ended = call(f"animate source={generated.portrait} driving={generated.clip} output={tmp_path / 'out'} {words}")
    assert ended.code == 2 and reason in ended.output, ended.output
    assert not (tmp_path / "out").exists()


def test_a_key_of_another_certificate_stops_the_job_and_is_never_shown(
    tmp_path: Path, call: Call, generated: Generated
) -> None:
    chain, _ = write_chain(tmp_path)
    (tmp_path / "other").mkdir()
    _, key = write_chain(tmp_path / "other")
    signing = f"provenance=c2pa provenance_certificate={chain} provenance_key={key}"
    ended = call(f"animate source={generated.portrait} driving=none output={tmp_path / 'out'} {signing}")
    assert ended.code == 1 and "provenance=c2pa: certificate and key do not sign" in ended.output, ended.output
    assert "PRIVATE KEY" not in ended.output
    assert not files_of(tmp_path / "out")
