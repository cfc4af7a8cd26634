"""Kinds of inputs whose readers break a rule each, and some that break none: what a run must notice."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.fuzz.kinds import Case, Samples
from benchmarks.fuzz.mutations import Dice
from lp_ray.base.errors import DecoderCrashedError, TemplateError
from lp_ray.media import ffmpeg


class _Planted:
    sound = False

    def make_samples(self, folder: Path) -> None:
        (folder / "a.txt").write_bytes(b"a sample")

    def make(self, dice: Dice, samples: Samples) -> Case:
        return Case({"a.txt": samples["a.txt"] + dice.bytes(4)}, "a.txt", "planted", self.sound)

    def read(self, path: Path, case: Case, output: Path) -> None:
        raise NotImplementedError


class Reads(_Planted):
    """Does as it should, files in the output and temporary ones that are gone afterwards included."""

    sound = True

    def read(self, path: Path, case: Case, output: Path) -> None:
        (output / "result").write_bytes(path.read_bytes())
        (Path(os.environ["TMPDIR"]) / "half").write_bytes(b"x")
        (Path(os.environ["TMPDIR"]) / "half").unlink()


class Refuses(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        raise TemplateError("not a template")


class RefusesSound(Refuses):
    sound = True


class Raises(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        raise TypeError("a mistake")


class Ends(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        raise SystemExit(0)


class Hangs(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        time.sleep(600)


class Dies(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        ctypes.string_at(0)


class Leaves(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        os._exit(0)


class Eats(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        bytearray(b"x") * (600 << 20)


class EatsAll(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        bytearray(20 << 30)


class WritesOutside(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        with contextlib.suppress(PermissionError):
            (path.parent.parent / "escaped").write_bytes(b"x")


class WritesByNativeCode(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        made = ["-f", "lavfi", "-i", "color=size=16x16:duration=0.1", "-y", ffmpeg.file_url(path.parent / "beside.gif")]
        ffmpeg.run(made, 60.0, "a clip")


class ChangesItsInput(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        path.unlink()


class LeavesBehind(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        (Path(os.environ["TMPDIR"]) / "forgotten").write_bytes(b"x")


class Executes(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        os.system("touch CANARY")


class Starts(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        try:
            subprocess.run(["/bin/true"], check=False)
        except PermissionError as error:  # a reader may even hide it
            raise TemplateError("no template") from error


class ReachesOut(_Planted):
    def read(self, path: Path, case: Case, output: Path) -> None:
        try:
            socket.create_connection(("127.0.0.1", 9))
        except OSError as error:
            raise TemplateError("no template") from error


class ChildErrs(_Planted):
    """An error of Python in the decoder's child looks like a crash of the decoder."""

    def read(self, path: Path, case: Case, output: Path) -> None:
        raise DecoderCrashedError("a.jpg: the decoder ended with exit code 1 while it read this picture")
