"""What belongs to one visitor of the page: a folder of their own and their files, which go when they leave; an edit."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from lp_ray.base.errors import RefusedError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass
class Visitor:
    """One visitor. `folder` is theirs alone. `opened` is the source that they edit. `files` are what they uploaded and
    were shown, in the folder of all visitors, where a file's place is named by its content."""

    folder: Path
    opened: Any = None
    files: set[Path] = field(default_factory=set)


class Visitors:
    """The visitors that are here, by the session that gradio gives each."""

    def __init__(self, root: Path, shared: Path) -> None:
        """`root` is where their folders are made; `shared` is where the page keeps uploads and what it shows."""
        self._root, self._shared = root, shared.resolve()
        self._here: dict[str, Visitor] = {}
        self._lock = threading.Lock()

    def note(self, session: str | None, values: Any) -> None:
        """Remember which of the page's files are a visitor's: a path, or paths. Anything else is left alone."""
        visitor = self.of(session)
        with self._lock:
            visitor.files.update(path for path in _paths(values) if path.is_relative_to(self._shared))

    def of(self, session: str | None) -> Visitor:
        """Return the visitor of a session; a new one gets a new folder."""
        with self._lock:
            name = session or "nobody"
            if name not in self._here:
                folder = self._root / uuid4().hex
                folder.mkdir(mode=0o700)
                self._here[name] = Visitor(folder)
            return self._here[name]

    def leaves(self, session: str | None) -> None:
        """Forget a visitor, and remove their folder and files. Of a file that another has given too, one place is
        kept for both: it goes with the last of them."""
        with self._lock:
            visitor = self._here.pop(session or "nobody", None)
            if visitor is None:
                return
            others = {path for each in self._here.values() for path in each.files}
            for path in visitor.files - others:
                path.unlink(missing_ok=True)
                with suppress(OSError):  # another file of the same content and another name, or gone already
                    path.parent.rmdir()
        shutil.rmtree(visitor.folder, ignore_errors=True)


def _paths(values: Any) -> Iterator[Path]:
    for value in values if isinstance(values, list | tuple) else [values]:
        if isinstance(value, str) and value:
            yield Path(value).resolve()


def folder_name(typed: str) -> str:
    """Return a name that a visitor typed for a folder. Raises RefusedError for anything that leads elsewhere."""
    if not _NAME.fullmatch(typed or ""):
        raise RefusedError(f"name={typed!r} must be 1 to 64 letters, digits, _ or -, no path")
    return typed
