"""The side that reads: `python -m benchmarks.fuzz.worker`, started by `runner.py`, one input after the other.

A request is a line of JSON: seed, index, kind. So is its answer; no answer means a death or a hang, which only the
other side can tell.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fuzz.kinds import Case, Kind, case_of, kind_at, read_samples
from benchmarks.fuzz.watch import Place, Watch, forget_peak, peak_rss
from lp_ray.base.errors import DecoderCrashedError, LpRayError
from lp_ray.base.limits import Limits

READ = "read"
_MOST_FILE = 8 << 30


@dataclass
class Answer:
    """What became of one input. `answer` is READ or an error's class; `broken` names the rules that were broken."""

    index: int
    kind: str
    how: str
    answer: str = READ
    seconds: float = 0.0
    peak: int = 0
    broken: list[str] = field(default_factory=list)
    error: str = ""


def main(config: dict[str, Any]) -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    _bound()
    faulthandler.enable()
    place = Place(Path(config["place"]))
    place.prepare({})
    watch = Watch(place)
    kinds = {name: kind_at(where) for name, where in config["kinds"].items()}
    samples = {name: read_samples(Path(config["samples"]) / name) for name in kinds}
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        name, index = (asked := json.loads(line))["kind"], asked["index"]
        case = case_of(kinds[name], samples[name], config["seed"], index)
        faulthandler.dump_traceback_later(config["limit_s"], exit=False)
        answer = _read(Answer(index, name, case.how), kinds[name], case, place, watch)
        faulthandler.cancel_dump_traceback_later()
        if answer.peak > config["memory"]:
            answer.broken.append(f"memory: {answer.peak >> 20} MB")
        print(json.dumps(asdict(answer)), file=answers, flush=True)
    os.chdir("/")


def _bound() -> None:
    """Bound this process, and those that it starts, as the machine needs it: no more than a decoder may have."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what, most in ((resource.RLIMIT_DATA, Limits().decoder_bytes), (resource.RLIMIT_FSIZE, _MOST_FILE)):
        resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def _read(answer: Answer, kind: Kind, case: Case, place: Place, watch: Watch) -> Answer:
    before = place.prepare(case.files)
    watch.breaches.clear()
    forget_peak()
    started = time.perf_counter()
    watch.on = True
    try:
        kind.read(place.given / case.main, case, place.output)
    except LpRayError as error:
        answer.answer, answer.error = type(error).__name__, str(error)
        if isinstance(error, DecoderCrashedError) and "exit code" in str(error):  # Python's: a mistake, and no crash
            answer.broken.append("not ours: the child ended by an error of Python")
    except BaseException as error:
        answer.answer, answer.error = type(error).__name__, str(error)
        answer.broken.append(f"not ours: {''.join(traceback.format_exception(error))}"[-6000:])
    finally:
        watch.on = False
    answer.seconds, answer.peak = time.perf_counter() - started, peak_rss()
    answer.broken += [*dict.fromkeys(watch.breaches), *place.check(before)]
    if case.sound and answer.answer != READ and not answer.broken:
        answer.broken.append(f"not read: a sound input was refused: {answer.error}")
    return answer


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
