# %% [markdown]
# From a folder of portraits to videos, to a table, to a look at what came out.
#
#     python examples/look_at_results.py PORTRAITS CLIP OUTPUT
#
# Every `# %%` is a cell for editors that know them; from top to bottom it is a program.

# %%
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lp_ray import LivePortraitPipeline, read_results

portraits, clip, output = sys.argv[1:4]

# %% Animate every portrait of the folder. A second run finds what is done.
pipeline = LivePortraitPipeline(engine="preview")  # without a GPU and without weights
sources = [path for path in sorted(Path(portraits).iterdir()) if path.suffix in (".jpg", ".png")]
pipeline.animate_many(sources, [{"uri": clip, "end_s": 0.6}], output, crf=20)

# %% The table: one row per pair, those that could not be made among them.
table = read_results(output).to_pandas().sort_values("name")
print(table[["name", "status", "n_frames", "duration_s", "error"]].to_string(index=False))

# %% How many of each outcome, and the average time that a stage took.
print(table.groupby("status").size().to_string())
print(table.filter(like="seconds_").mean().round(2).to_string())

# %% A look: eight frames of each finished pair, side by side. `frames` hands over frames instead of writing a video.
rows = []
for source in table[table["status"] == "done"]["source_uri"]:
    frames = list(pipeline.frames(source, clip, end_s=0.6, paste_back=False))
    chosen = [frames[round(i)] for i in np.linspace(0, len(frames) - 1, 8)]
    rows.append(np.hstack([frame[::4, ::4] for frame in chosen]))
look = Path(output) / "look.png"
Image.fromarray(np.vstack(rows)).save(look)
print(f"look: {look}")
