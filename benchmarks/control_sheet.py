"""Sheets of every control of an edit: does smile smile, which way does gaze go?

    python -m benchmarks.control_sheet OUTPUT_FOLDER [--source PICTURE]

Writes preview.png and liveportrait.png. A row is a control: its low end, neutral, its high end (half of it in place of
a low end that is neutral), all made by one job with `driving=none`. Of the face's controls the middle of the crop is
shown. Under each picture stand the value and how much it differs from the neutral one, in grey levels. The published
weights are not here: LivePortrait's sheet is of the tiny seeded networks, whose pictures are noise, so it shows that
every control reaches the frames and nothing of what they look like. It is made without stitching, because a seeded
stitcher moves keypoints further than any edit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import skimage.data

from lp_ray import LivePortraitPipeline
from lp_ray.base.arrays import Image
from lp_ray.base.limits import Limits
from lp_ray.contract.edits import CONTROLS, Control
from lp_ray.contract.option_values import make_options
from lp_ray.contract.options import LIVEPORTRAIT, edits_of
from lp_ray.media.frames_zip import read_frames
from lp_ray.media.images import read_image

TILE, NAME, LINE = 192, 110, 18
FACE = slice(136, 376)
"""Rows and columns of a crop of 512 that the face's controls are shown in."""

Values = tuple[float | None, ...]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("output", type=Path)
    arguments.add_argument("--source", type=Path, help="a portrait; scikit-image's astronaut if there is none")
    given = arguments.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    source = read_image(given.source, Limits()) if given.source else skimage.data.astronaut()
    for path in write_sheets(given.output, source):
        print(path)


def write_sheets(output: Path, source: Image) -> Iterator[Path]:
    """Write a sheet for each engine; yield where it is."""
    engines: dict[str, dict[str, Any]] = {
        "preview": {"engine": "preview"},
        LIVEPORTRAIT: {"weights": "seeded", "size": "tiny"},
    }
    for name, settings in engines.items():
        controls = [control for control in CONTROLS if control.preview or name == LIVEPORTRAIT]
        how: dict[str, Any] = {"flag_stitching": False} if name == LIVEPORTRAIT else {}
        made = pictures(LivePortraitPipeline(**settings), source, controls, **how)
        path = output / f"{name}.png"
        cv2.imwrite(str(path), np.ascontiguousarray(np.vstack([row(c, made) for c in controls])[..., ::-1]))
        yield path


def shown(control: Control) -> Values:
    """Return the values on the sheet, in ascending order; None is neutral."""
    if control.neutral == control.low:
        return None, (control.low + control.high) / 2, control.high
    return control.low, None, control.high


def pictures(
    pipeline: LivePortraitPipeline, source: Image, controls: list[Control], **options: Any
) -> dict[tuple[str, float | None], Image]:
    """Return the crops of all values of all controls, by name and value; the neutral one under ("", None)."""
    asked: list[tuple[str, float | None]] = [("", None)]
    asked += [(control.name, value) for control in controls for value in shown(control) if value is not None]
    with TemporaryDirectory(prefix="lp_ray-sheet-") as folder:
        portrait = Path(folder) / "portrait.png"
        cv2.imwrite(str(portrait), np.ascontiguousarray(source[..., ::-1]))
        pairs = [{"source_id": "s", "driving_id": "none"} | ({name: value} if name else {}) for name, value in asked]
        rows = pipeline.animate_many(
            [{"uri": str(portrait), "source_id": "s"}],
            [{"uri": "none", "driving_id": "none"}],
            f"{folder}/out",
            pairs=pairs,
            on_ray=False,
            format="frames",
            paste_back=False,
            **options,
        ).to_pylist()
        made: dict[tuple[str, float | None], Image] = {}
        for found in rows:
            edits = edits_of(make_options(json.loads(found["options"]), found["pair_id"]))
            (value,) = edits.items() or [("", None)]
            (made[value],) = read_frames(Path(found["video_uri"].removeprefix("file://")))
    return made


def row(control: Control, made: dict[tuple[str, float | None], Image]) -> Image:
    """Return the row of a control: its name, then a picture for each value."""
    neutral = made["", None]
    name = np.full((TILE + LINE, NAME, 3), 255, np.uint8)
    _write(name, control.name, (6, TILE // 2))
    tiles = [_tile(control, neutral if v is None else made[control.name, v], neutral, v) for v in shown(control)]
    return np.hstack([name, *tiles])


def _tile(control: Control, frame: Image, neutral: Image, value: float | None) -> Image:
    part = frame if control.name.startswith("head_") else frame[FACE, FACE]
    tile = np.full((TILE + LINE, TILE, 3), 255, np.uint8)
    tile[:TILE] = cv2.resize(part, (TILE, TILE), interpolation=cv2.INTER_AREA)
    difference = float(np.abs(frame.astype(np.int16) - neutral).mean())
    _write(tile, "neutral" if value is None else f"{value:g}   ({difference:.2f})", (6, TILE + LINE - 5))
    return tile


def _write(picture: Image, text: str, at: tuple[int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)


if __name__ == "__main__":
    main()
