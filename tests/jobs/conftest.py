"""Commands called in this process: as a user types them, without a new interpreter for each."""

from __future__ import annotations

import importlib
import shlex
import signal
import sys
from collections.abc import Callable, Iterator

import pytest
import ray

from jobs.cli import main
from tests.running import Ended

Call = Callable[[str], Ended]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """Run a line such as `manifest input=photos kind=source`, split as a shell does, and return how it ended.

    The line may not start Ray: all it has to say is said before that.
    """
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "argv", ["job"])

    def run(line: str) -> Ended:
        name, *arguments = shlex.split(line)
        with pytest.raises(SystemExit) as stop:
            main(name, importlib.import_module(f"jobs.{name}").run, arguments)
        assert not ray.is_initialized()
        said = capfd.readouterr()
        assert isinstance(stop.value.code, int)
        return Ended(stop.value.code, said.out + said.err)

    yield run
    signal.signal(signal.SIGTERM, before)
