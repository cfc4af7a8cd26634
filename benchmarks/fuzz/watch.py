"""What a process does while it reads an input: Python's audit hooks tell what it opens, starts and reaches for.

What native code writes is found by looking: see `Place.check`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lp_ray.media import ffmpeg

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TORCH = "torchinductor_"
"""A folder that torch makes for itself among the temporary files."""
_SERVE = ("-m", "lp_ray.isolation.serve")
_CHANGES = {
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.remove": 1,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "shutil.rmtree": 1,
    "shutil.move": 2,
}
"""Events that change files -> how many paths they name first."""
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn", "os.startfile")
_REACHES = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "socket.bind",
    "urllib.Request",
)


@dataclass(frozen=True)
class Place:
    """A worker's own folders: inputs in `given`, `output`, temporary files, and two that nothing belongs into."""

    root: Path

    @property
    def given(self) -> Path:
        return self.root / "in"

    @property
    def output(self) -> Path:
        return self.root / "out"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def prepare(self, files: Mapping[str, bytes]) -> dict[str, tuple[int, int]]:
        """Empty the folders and write an input's files; return what `check` compares with."""
        for entry in list(self.root.iterdir()) if self.root.exists() else []:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for folder in ("in", "out", "tmp", "cwd", "home"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        os.chdir(self.root / "cwd")
        for name, data in files.items():
            path = self.given / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self._seen()

    def check(self, before: Mapping[str, tuple[int, int]]) -> list[str]:
        """Return the files that appeared, changed or went outside of the output."""
        after = self._seen()
        changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
        return [
            f"wrote outside: {name} {'appeared' if name not in before else 'changed or gone'}"
            for name in sorted(changed)
        ]

    def _seen(self) -> dict[str, tuple[int, int]]:
        found = {}
        for path in self.root.rglob("*"):
            if self.output not in path.parents and not path.name.startswith(_TORCH):
                status = path.lstat()
                found[str(path.relative_to(self.root))] = (
                    (0, 0) if path.is_dir() else (status.st_size, status.st_mtime_ns)
                )
        return found


class Watch:
    """Notes, while it is on, what breaks the rules; what would run, reach out or write elsewhere is stopped as well."""

    def __init__(self, place: Place) -> None:
        self.breaches: list[str] = []
        self._ffmpeg = ffmpeg.executable()  # imageio-ffmpeg tries it once
        self.on = False
        self._free = [str(folder) + os.sep for folder in (place.output, place.temporary)]
        self._free += [str(place.output), str(place.temporary), "/dev/null", "/proc/self/"]
        sys.addaudithook(self._heed)

    def _heed(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITES:
                self._check_path(event, path, -1)
        elif event in _CHANGES:
            of_folder = next((item for item in arguments[_CHANGES[event] :] if isinstance(item, int) and item >= 0), -1)
            for path in arguments[1 if event == "os.symlink" else 0 : _CHANGES[event]]:
                self._check_path(event, path, of_folder if event not in ("os.chmod", "os.truncate") else -1)
        elif event == "subprocess.Popen":
            self._check_command([os.fsdecode(item) for item in arguments[1]])
        elif event in _RUNS or event == "pickle.find_class":
            self._stop(f"executed: {event} {arguments!r}"[:300])
        elif event in _REACHES:
            self._stop(f"reached out: {event} {arguments!r}"[:300])

    def _check_path(self, event: str, path: Any, folder: int) -> None:
        if isinstance(path, int):
            return
        text = os.fsdecode(path)
        if folder >= 0 and not os.path.isabs(text):  # noqa: PTH117 - inside an audit hook: no objects of our own
            text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)  # noqa: PTH115, PTH118
        if not os.path.abspath(text).startswith(tuple(self._free)):  # noqa: PTH100
            self._stop(f"wrote outside: {event} {text}"[:300])

    def _check_command(self, command: list[str]) -> None:
        ours = command[0] == sys.executable and all(word in command for word in _SERVE)
        if not ours and command[0] != self._ffmpeg:
            self._stop(f"executed: {command!r}"[:300])

    def _stop(self, breach: str) -> None:
        self.breaches.append(breach)
        raise PermissionError(breach)


def peak_rss(read: Callable[[], str] = Path("/proc/self/status").read_text) -> int:
    """Return the most memory, bytes, that this process held since `forget_peak`."""
    return next(int(line.split()[1]) << 10 for line in read().splitlines() if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Begin anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
