"""The page itself: one HTML file with its style and its script inside, which may load nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

PARTS = ("store.js", "filters.js", "grid.js", "detail.js", "runs.js", "app.js")
"""The script's parts, in their order."""

_POLICY = (
    "default-src 'none'; img-src 'self' file: data:; media-src 'self' file:; "
    "script-src 'sha256-{digest}' 'self' file:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def html() -> bytes:
    """Return the page. Its policy lets it load pictures, videos and data from beside itself, and nothing else."""
    folder = files("lp_ray.gallery") / "page"
    style, body = (folder / "style.css").read_text(), (folder / "index.html").read_text()
    code = "\n".join((folder / part).read_text() for part in PARTS)
    digest = base64.b64encode(hashlib.sha256(f"\n{code}\n".encode()).digest()).decode()
    for name, text in (("POLICY", _POLICY.format(digest=digest)), ("STYLE", style), ("CODE", code)):
        body = body.replace(f"%{name}%", text, 1)
    return body.encode()
