"""What belongs to one visitor of the page: a folder of their own and their files, which go when they leave; an edit."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from lp_ray.base.errors import RefusedError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(eq=False)
class Visitor:
    """One visitor. `folder` is theirs alone. `opened` is the source that they edit. `files` are what they uploaded and
    were shown, in the folder of all visitors, where a file's place is named by its content, with their inodes."""

    folder: Path
    opened: Any = None
    files: dict[Path, int | None] = field(default_factory=dict)
    n_works: int = 0
    """How much the page is doing for them at this moment."""
    seen_s: float = 0.0
    """When it last began or ended something, by the clock."""


class Visitors:
    """The visitors that are here, by the session that gradio gives each."""

    def __init__(self, root: Path, shared: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`root` is where their folders are made; `shared` is where the page keeps uploads and what it shows. `clock`
        gives seconds."""
        self._root, self._shared, self._clock = root, shared.resolve(), clock
        self._here: dict[str, Visitor] = {}
        self._leaving: set[Visitor] = set()
        """Those who left while something was made for them."""
        self._lock = threading.Lock()

    @contextmanager
    def at_work(self, session: str | None) -> Iterator[Visitor]:
        """Yield the visitor of a session while something is made for them; a new one gets a new folder.

        If they leave meanwhile, what was made goes when it is done. Raises RefusedError without a session: those who
        have none would be one visitor, and see each other's pictures.
        """
        if not session:
            raise RefusedError("session: this call has none; gradio_client, /call/… and /queue/join give one")
        with self._lock:
            visitor = self._here.get(session)
            if visitor is None:
                folder = self._root / uuid4().hex
                folder.mkdir(mode=0o700)
                visitor = self._here[session] = Visitor(folder)
            visitor.n_works += 1
            visitor.seen_s = self._clock()
        try:
            yield visitor
        finally:
            with self._lock:
                visitor.n_works -= 1
                visitor.seen_s = self._clock()
                if visitor in self._leaving and not visitor.n_works:
                    self._leaving.remove(visitor)
                    self._remove(visitor)

    def note(self, visitor: Visitor, values: Any) -> None:
        """Remember which of the page's files are a visitor's: a path, or paths. Anything else is left alone."""
        with self._lock:
            visitor.files |= {path: _inode(path) for path in _paths(values) if path.is_relative_to(self._shared)}

    def leaves(self, session: str | None) -> None:
        """Forget a visitor, and remove their folder and files. Of a file that another has given too, one place is
        kept for both: it goes with the last of them."""
        with self._lock:
            self._leave(session or "")

    def sweep(self, age_s: float) -> None:
        """Do the same for all for whom nothing was made for `age_s`: not everybody's leaving is noticed."""
        with self._lock:
            before = self._clock() - age_s
            for session in [name for name, each in self._here.items() if not each.n_works and each.seen_s < before]:
                self._leave(session)

    def _leave(self, session: str) -> None:
        visitor = self._here.pop(session, None)
        if visitor is not None and visitor.n_works:
            self._leaving.add(visitor)
        elif visitor is not None:
            self._remove(visitor)

    def _remove(self, visitor: Visitor) -> None:
        others = {path for each in (*self._here.values(), *self._leaving) for path in each.files}
        for path, inode in visitor.files.items():
            if path in others or _inode(path) != inode:
                continue  # another inode: somebody has uploaded the same since, and waits in the queue to be noted
            path.unlink(missing_ok=True)
            with suppress(OSError):  # another file of the same content and another name, or gone already
                path.parent.rmdir()
        shutil.rmtree(visitor.folder, ignore_errors=True)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _paths(values: Any) -> Iterator[Path]:
    for value in values if isinstance(values, list | tuple) else [values]:
        if isinstance(value, str) and value:
            yield Path(value).resolve()


def folder_name(typed: str) -> str:
    """Return a name that a visitor typed for a folder. Raises RefusedError for anything that leads elsewhere."""
    if not _NAME.fullmatch(typed or ""):
        raise RefusedError(f"name={typed!r} must be 1 to 64 letters, digits, _ or -, no path")
    return typed
