"""Animate a pair on a running studio from another process: python examples/studio_client.py URL SOURCE DRIVING OUT

`lp-ray studio` serves the page and this interface alike; `pip install gradio_client` is all that is needed here.
"""

from __future__ import annotations

import shutil
import sys
from typing import Any

from gradio_client import Client, handle_file


def animate(url: str, source: str, driving: str, out: str, **options: Any) -> dict[str, Any]:
    """Animate a pair and store the result. Options are named as in docs/options.md. Return the row of the results."""
    client = Client(url, verbose=False)
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/animate"]
    defaults = {each["label"]: each["parameter_default"] for each in endpoint["parameters"]}
    _, _, edit, *names = defaults
    values = [options.pop(name, defaults[name]) for name in names]
    if options:
        raise ValueError(f"{min(options)} is no option of this studio's engine")
    inputs = handle_file(source), handle_file(driving), defaults[edit]
    _, _, file, row, *_ = client.predict(*inputs, *values, api_name="/animate")
    shutil.copyfile(file, out)
    return dict(row)


if __name__ == "__main__":
    print(animate(*sys.argv[1:5]))
