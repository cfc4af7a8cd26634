"""Make the README's picture from a demo's output: `make demo`, then `python -m scripts.readme_picture demo_output`.

It shows the astronaut alone, because her portrait is in the public domain. The other faces of the demo come from a
package's test picture, which the repository does not carry.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

from jobs.places import finished_rows, folder_to_read
from lp_ray import storage
from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_footage
from lp_ray.report.sheet import contact_sheet, pick_frames, sheet_times

SHOWN = "astronaut"
COLUMNS = 9
QUALITY = 84
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "astronaut.jpg"


def main(output: str, picture: Path = PICTURE) -> None:
    """Write the picture. Raises RefusedError if the output has no finished pairs."""
    rows = []
    done = [row for row in finished_rows(folder_to_read("output", output)) if row["source_id"] == SHOWN]
    for row in sorted(done, key=lambda row: str(row["driving_id"])):
        with storage.local_copy(row["video_uri"], Limits()) as path:
            footage = open_footage(path, Limits())
            cells = pick_frames(footage.frames(), sheet_times(footage.n_frames, COLUMNS))
        rows.append((str(row["driving_id"]), cells))
    sheet = contact_sheet(f"{SHOWN}: three performances, two of them by other faces", rows)
    cv2.imwrite(str(picture), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(picture)


if __name__ == "__main__":
    main(sys.argv[1])
