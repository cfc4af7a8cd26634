"""Slips of the hand: each is answered in one line that names the thing and has a remedy, before any work and any Ray.

One slip is one line of the table: what is typed, and words that the answer must hold. `{}` is the working folder.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.exit_codes import EXIT_REFUSED
from tests.jobs.conftest import Call

PAIR = "source=photo.jpg driving=clip.mp4"
MANY = "sources=s.csv drivings=d.parquet"

ANIMATE = [
    ("", "output=… is missing (see --help)"),
    (f"{PAIR} output=", "output=… is missing (see --help)"),
    ("driving=clip.mp4 output=out", "source=… (one) or sources=… (a manifest of many) is missing"),
    ("source=photo.jpg output=out", "driving=… (one) or drivings=… (a manifest of many) is missing"),
    # how settings are typed
    (
        f"{PAIR} output=out past_back=false",
        "past_back=… is no setting (did you mean 'paste_back'?) (--help lists them)",
    ),
    (f"{PAIR} output=out +past_back=false", "past_back=… is no setting (did you mean 'paste_back'?)"),
    (f"{PAIR} output=out +crf=20", "+crf=20: type crf=20: settings are neither added nor taken away"),
    (
        f"{PAIR} output=out engine=live",
        "engine=live must be one of liveportrait, preview",
    ),
    (f"{PAIR} output=out engine.devise=cuda", "engine.devise=… is no setting (did you mean 'engine.device'?)"),
    (f"{PAIR} output=out limits.max_pixel=1", "limits.max_pixel=… is no setting (did you mean 'limits.max_pixels'?)"),
    (f"{PAIR} output=out pairing=cros", "pairing=cros must be one of cross, random, zip (did you mean 'cross'?)"),
    (f"{PAIR} output= out", "a space is left after 'output=': type output=out"),
    (
        "photo.jpg clip.mp4 output=out",
        "'photo.jpg' is no setting: settings are typed key=value, such as source=photo.jpg",
    ),
    ("-s photo.jpg -d clip.mp4 -o out --flag-force-cpu", "--flag-force-cpu: type engine.device=cpu"),
    ("-s photo.jpg -d", "-d needs a value: type driving=…"),
    (f"{PAIR} output=out runtime=thread", "runtime='thread' must be one of auto, inline, ray"),
    (f"{PAIR} output=out runtime=inline cluster=auto", "cluster.address=auto has no effect with runtime=inline"),
    (f"{PAIR} output=out 'crf=[1'", "crf=[1: the value cannot be read"),
    # what one source or driving is
    ("source=nope.jpg driving=clip.mp4 output=out", "source: nothing at nope.jpg (looked at {}/nope.jpg)"),
    ("source=photo.jpg driving=nope.mp4 output=out", "driving: nothing at nope.mp4 (looked at {}/nope.mp4)"),
    ("source=Photo.JPG driving=clip.mp4 output=out", "{}/Photo.JPG) (did you mean 'photo.jpg'?)"),
    ("source=photo.jpeg driving=clip.mp4 output=out", "{}/photo.jpeg) (did you mean 'photo.jpg'?)"),
    ("source='photo.jpg ' driving=clip.mp4 output=out", "nothing at 'photo.jpg ' (looked at '{}/photo.jpg ')"),
    ("source=file://{}/my%20photo.jpg driving=clip.mp4 output=out", "(looked at {}/my photo.jpg)"),
    ("source=photos driving=clip.mp4 output=out", "photos is a folder, not a file (looked at {}/photos): name a file"),
    ("source=photo.jpg driving=photos/ output=out", "driving: photos/ is a folder, not a file"),
    ("source=photo.jpg/x.jpg driving=clip.mp4 output=out", "{}/photo.jpg is a file, not a folder"),
    ("source=pictures/a.jpg driving=clip.mp4 output=out", "there is no folder {}/pictures"),
    ("source='photos/*.jpg' driving=clip.mp4 output=out", "lp-ray manifest input='photos/*.jpg' kind=source"),
    ("source=s.csv driving=clip.mp4 output=out", "source=s.csv is called like a manifest: give it as sources=s.csv"),
    ("source=photo.jpg driving=d.parquet output=out", "called like a manifest: give it as drivings=d.parquet"),
    ("source=s.csv sources=s.csv driving=clip.mp4 output=out", "source=… and sources=… exclude each other"),
    ("source=ftp://host/a.jpg driving=clip.mp4 output=out", "scheme 'ftp' is not allowed (limits.schemes allows"),
    ("source=https://example.org/a.jpg driving=clip.mp4 output=out", "scheme 'https' is not allowed (limits.schemes"),
    ("source=s3://key:secret@bucket/a driving=clip.mp4 output=out", "s3://***@bucket/a: credentials do not belong"),
    ("source=zip://a.jpg::b.zip driving=clip.mp4 output=out", "chained URIs are not allowed; give the place itself"),
    (f"{PAIR} output=out face=left", "source=photo.jpg: row 0: face='left' must be an index from 0 or one of"),
    (f"{PAIR} output=out box=[1,2,3]", "row 0: box=[1.0, 2.0, 3.0] must be [x0, y0, x1, y1] in pixels"),
    (f"{PAIR} output=out start_s=3 end_s=2", "driving=clip.mp4: row 0: end_s=2.0 must come after start_s=3.0"),
    # manifests
    ("sources=photo.jpg driving=clip.mp4 output=out", "sources=photo.jpg is called like a picture or a clip"),
    ("sources='photos/*' driving=clip.mp4 output=out", "lp-ray manifest input='photos/*' kind=source"),
    ("sources=nope.csv driving=clip.mp4 output=out", "{}/nope.csv) (lp-ray manifest kind=source makes one)"),
    ("sources=photos driving=clip.mp4 output=out", "a folder without parts of a table (.parquet, .csv, .jsonl)"),
    ("sources=text.parquet driving=clip.mp4 output=out", "it looks like text: name a CSV .csv"),
    ("sources=picture.parquet driving=clip.mp4 output=out", "it looks like a JPEG picture"),
    (
        "sources=sheet.xlsx driving=clip.mp4 output=out",
        "it looks like a spreadsheet or another zip archive",
    ),
    ("sources=sheet.csv driving=clip.mp4 output=out", "it looks like a spreadsheet or another zip archive"),
    ("sources=latin.csv driving=clip.mp4 output=out", "latin.csv: not UTF-8 text, near line 1 (invalid continuation"),
    ("sources=comma.csv driving=clip.mp4 output=out", "line 2: 2 fields, the first line names 1: put a value with a"),
    ("sources=url.csv driving=clip.mp4 output=out", "url.csv: unknown column 'url' (did you mean 'uri'?)"),
    ("sources=twice.csv driving=clip.mp4 output=out", "rows 0 and 2: duplicate source_id 'photo.jpg'; give each row"),
    ("sources=empty.csv driving=clip.mp4 output=out", "empty.csv: no rows: there is nothing to do"),
    ("sources=array.jsonl driving=clip.mp4 output=out", "line 1 is a list, it must be one JSON object"),
    ("sources=s.csv face=0 driving=clip.mp4 output=out", "face=… goes with source=…: in a manifest it is a column"),
    (f"{MANY} pairs=p.csv output=out", "pairs manifest row 1: driving_id='d' is not in the drivings manifest"),
    (f"{MANY} pairs=nope.csv output=out", "pair manifest: nothing at nope.csv (looked at {}/nope.csv)"),
    (f"{MANY} pairs=again.csv output=out", "the same pair with the same options in rows 0 and 1: 'a' with 'c'"),
    (f"{MANY} pairing=zip output=out", "pairing=zip needs as many drivings as sources, not 2 sources and 1"),
    # outputs
    (f"{PAIR} output=photo.jpg", "output=photo.jpg: {}/photo.jpg is a file, not a folder: choose another place"),
    (f"{PAIR} output=photo.jpg/out", "{}/photo.jpg is a file, not a folder: choose a place that is not below it"),
    (f"{PAIR} output=/proc/out", "output=/proc/out: /proc takes no new files"),
    (f"{PAIR} output=/proc/out dry_run=true", "output=/proc/out: /proc takes no new files"),
    (f"{PAIR} output=s3://key:secret@bucket/out", "output: s3://***@bucket/out: credentials do not belong in a URI"),
    (f"{PAIR} output={'x' * 300}", "a name in it is too long for this file system: choose a shorter one"),
    (f"{PAIR} output=out templates=photo.jpg", "templates=photo.jpg: {}/photo.jpg is a file, not a folder"),
    # options and settings
    (f"{PAIR} output=out crf=99", "options: crf=99 must be between 0 and 51"),
    (f"{PAIR} output=out crf=high", "options: crf='high' must be"),
    (f"{PAIR} output=out shard=4/4", "shard=4/4 must be i/n with i from 0 to n - 1"),
    (f"{PAIR} output=out retry=maybe", "retry='maybe' must be none, failed or filtered"),
    (f"{PAIR} output=out decisions=nowhere.csv", "decisions: nothing at nowhere.csv"),
    (f"{PAIR} output=out on_busy=maybe", "on_busy='maybe' must be stop or wait"),
    (f"{PAIR} output=out subject=dog", "subject='dog' must be one of human, animal, auto"),
    (f"{PAIR} output=out limits.max_pixels=0", "limits.max_pixels=0 must be a number above 0"),
    (f"{PAIR} output=out engine=liveportrait engine.weights=/nope", "lp-ray weights pull store="),
    (f"{PAIR} output=out limits.prefixes=[zip://a::b]", "limits.prefixes: zip://a::b: chained URIs are not allowed"),
    (
        f"{PAIR} output=out engine=liveportrait engine.weights=seeded engine.size=tiny engine.device=cuda:7",
        "engine.device=cuda:7 asks for a GPU, this machine has none of that number: use engine.device=cpu",
    ),
    (f"{PAIR} output=out webhook=nowhere", "webhook must be http://host/… or https://host/…"),
]
MANIFEST = [
    ("", "kind=… is missing (see --help)"),
    ("input=photos output=s.csv", "kind=… is missing (see --help)"),
    ("input=photos kind=sauce output=s.csv", "kind='sauce' must be source or driving"),
    ("input=photo kind=source output=s.csv", "nothing at photo (looked at {}/photo) (did you mean 'photo.jpg'?)"),
    ("input=empty kind=source output=s.csv", "input=empty: nothing there for a manifest of sources, such as .jpg"),
    (
        "input='photos/*.gif' kind=source output=s.csv",
        "nothing there that the pattern matches (looked under {}/photos)",
    ),
    ("input=phone kind=source output=s.csv", "left out: 1 .heic (not read: convert to JPEG)"),
    ("input=s3://key:secret@bucket/a kind=source output=s.csv", "credentials do not belong in a URI"),
    ("input=photos kind=source output=photos", "{}/photos is a folder, not a file: name a file in it"),
    ("input=photos kind=source output=photo.jpg/s.csv", "output=photo.jpg/s.csv: {}/photo.jpg is a file, not a folder"),
    ("input=photos kind=source output=/proc/s.csv", "output=/proc/s.csv: /proc takes no new files"),
    ("input=photos kind=source output=/dev/null", "/dev/null is a device, not a file: name a file"),
    ("input=photos kind=source output=s.xlsx", "'s.xlsx': a manifest is written as .parquet, .csv, .jsonl"),
    (
        "input=photos kind=source output=text.parquet update=true",
        "text.parquet: not a Parquet file; it looks like text",
    ),
]
OTHERS = [
    ("demo output=photo.jpg", "output=photo.jpg: {}/photo.jpg is a file, not a folder"),
    ("demo output=memory://x", "output=memory://x: the demo is made in a folder of this machine"),
    ("templates drivings=nope.csv templates=store", "driving manifest: nothing at nope.csv (looked at {}/nope.csv)"),
    ("templates drivings=clip.mp4 templates=store", "drivings=clip.mp4 is called like a picture or a clip"),
    ("templates drivings=d.parquet templates=photo.jpg", "templates=photo.jpg: {}/photo.jpg is a file, not a folder"),
    ("templates drivings=d.parquet", "templates=… is missing (see --help)"),
    ("studio host=0.0.0.0", "host=0.0.0.0 can be reached from elsewhere: set password=name:password"),
    ("studio host=0.0.0.0 password=me:short", "password must be name:password, with 8 characters or more"),
    ("studio port=70000", "port=70000 must be a whole number from 0 to 65535"),
    ("studio upload_mb=0", "upload_mb=0 must be a number above 0"),
    ("studio engine=moon", "engine"),
    ("gallery", "output=… is missing (see --help)"),
    ("gallery output=nope", "output: nothing at nope (looked at {}/nope)"),
    ("gallery output=empty", "output={}/empty has no results: animate something first"),
    ("gallery output=empty runtime=spark", "runtime='spark' must be one of inline, ray"),
    ("filter output=empty decisions=photo.jpg", "decisions=photo.jpg"),
    ("filter output=empty decisions=nowhere.csv", "decisions: nothing at nowhere.csv"),
    ("sheets", "output=… is missing (see --help)"),
    ("sheets output=nope", "output: nothing at nope (looked at {}/nope)"),
    ("sheets output=empty", "no finished pairs in file://{}/empty: lp-ray animate makes them"),
    ("sheets output=photo.jpg", "output=photo.jpg is a file, not a folder"),
    ("sheets output=empty folder=photo.jpg", "folder=photo.jpg: {}/photo.jpg is a file, not a folder"),
    ("clean", "output=… or templates=… is missing (see --help)"),
    ("clean output=nope", "output: nothing at nope (looked at {}/nope)"),
    ("clean output=photo.jpg", "output=photo.jpg is a file, not a folder"),
    ("clean templates=nope", "templates: nothing at nope (looked at {}/nope)"),
    ("export input=photos output=pkl", "input=photos: no motion templates (.npz) there (lp-ray templates"),
    ("export input=photos output=photo.jpg", "output=photo.jpg: {}/photo.jpg is a file, not a folder"),
    ("export input=photos output=photo.jpg/a.pkl", "output=photo.jpg/a.pkl: {}/photo.jpg is a file, not a folder"),
]
SLIPS = [
    *((f"animate {line}", words) for line, words in ANIMATE),
    *((f"manifest {line}", words) for line, words in MANIFEST),
    *OTHERS,
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with files that are what their names say as far as a plan looks, and some that are not."""
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "empty", "phone"):
        Path(name).mkdir()
    for name in ("photo.jpg", "clip.mp4", "photos/a.jpg", "phone/a.HEIC"):
        Path(name).write_bytes(b"bytes")
    Path("s.csv").write_text("uri,source_id\nphoto.jpg,a\nphotos/a.jpg,b\n")
    pq.write_table(pa.table({"uri": ["clip.mp4"], "driving_id": ["c"]}), "d.parquet")
    Path("p.csv").write_text("source_id,driving_id\na,c\na,d\n")
    Path("text.parquet").write_text("uri\nphoto.jpg\n")
    Path("picture.parquet").write_bytes(b"\xff\xd8\xff\xe0 a picture")
    for name in ("sheet.xlsx", "sheet.csv"):
        Path(name).write_bytes(b"PK\x03\x04 a spreadsheet")
    Path("array.jsonl").write_text('[{"uri": "photo.jpg"}]')
    Path("again.csv").write_text("source_id,driving_id\na,c\na,c\n")
    Path("latin.csv").write_bytes("uri\ncafé.jpg\n".encode("latin-1"))
    Path("comma.csv").write_text("uri\na,b.jpg\n")
    Path("url.csv").write_text("url\na.jpg\n")
    Path("twice.csv").write_text("uri\nphoto.jpg\na.jpg\nphoto.jpg\n")
    Path("empty.csv").write_text("uri\n")
    return tmp_path


@pytest.mark.parametrize(("line", "words"), SLIPS, ids=[line[:100] for line, _ in SLIPS])
def test_a_slip_is_told_in_one_line(folder: Path, call: Call, line: str, words: str) -> None:
    before = sorted(folder.rglob("*"))
    ended = call(line.replace("{}", str(folder)))
    assert ended.code == EXIT_REFUSED, ended.output
    assert words.replace("{}", str(folder)) in ended.output
    assert ended.output.startswith("refused: ") and ended.output.count("\n") == 1, "one line, and no traceback"
    assert "secret" not in ended.output
    assert sorted(folder.rglob("*")) == before, "nothing was made"
