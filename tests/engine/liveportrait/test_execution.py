"""engine.execution: what auto chooses, what is refused, what enters the keys; and compiled kernels that are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jobs.plan_report import start_lines
from lp_ray.base.errors import RefusedError
from lp_ray.engine.factory import EngineIdentity, EngineSpec, create_engine, identify_engine
from lp_ray.engine.liveportrait import placement
from lp_ray.engine.liveportrait.fast.kernels import VARIABLE, keep_kernels, kernel_folder
from lp_ray.engine.liveportrait.fast.torch_private import compiled
from lp_ray.engine.liveportrait.placement import choose_execution, choose_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")
HALF, WHOLE = torch.bfloat16, torch.float32
SPEC = EngineSpec("liveportrait", weights="seeded", size="tiny")

COMPILE = """
import json, sys, torch
from torch._dynamo.utils import counters
from lp_ray.engine.liveportrait.fast.fused import fused

def run(x):
    return torch.sin(x) * 2 + x.relu()

value = float(fused(run)(torch.arange(64.0).view(8, 8)).sum())
print(json.dumps([value, counters["inductor"]["fxgraph_cache_hit"], counters["inductor"]["fxgraph_cache_miss"]]))
"""


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says whether Triton and a C compiler are there."""

    def make(there: bool) -> None:
        monkeypatch.setattr(placement, "find_spec", lambda name: object() if there else None)
        monkeypatch.setattr(placement, "_c_compiler", lambda: "gcc" if there else None)

    return make


def test_auto_compiles_half_precision_on_a_gpu_alone(complete: Callable[[bool], None]) -> None:
    complete(True)
    assert choose_execution(GPU, HALF) == "compiled"
    assert choose_execution(GPU, WHOLE) == "graph"
    assert choose_execution(CPU, HALF) == choose_execution(CPU, WHOLE) == "eager"


def test_auto_does_without_a_compiler_and_warns(
    complete: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    complete(False)
    assert choose_execution(GPU, HALF) == "graph"
    assert "halves frames per second" in caplog.text


def test_what_is_asked_for_by_name_is_had_or_refused(complete: Callable[[bool], None]) -> None:
    complete(True)
    for asked in ("eager", "graph", "compiled"):
        assert choose_execution(GPU, HALF, asked) == choose_execution(GPU, WHOLE, asked) == asked
    complete(False)
    with pytest.raises(RefusedError, match=r"compiled needs triton and a C compiler.*execution=graph"):
        choose_execution(GPU, HALF, "compiled")
    assert choose_execution(GPU, HALF, "graph") == "graph"


def test_a_gpu_that_only_emulates_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A T4 or V100: torch says that it supports the type, and computes it many times slower. The engine's own GPU
    counts, not the process's current one."""
    asked: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext(asked.append(device)))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    with pytest.raises(RefusedError, match="bfloat16: Tesla T4 has none; use float16 or float32"):
        choose_precision("bfloat16", torch.device("cuda:1"))
    assert asked == [torch.device("cuda:1")]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert choose_precision("bfloat16", torch.device("cuda:1")) == torch.bfloat16


def test_what_a_cpu_cannot_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match="execution=graph is for GPUs"):
        create_engine(replace(SPEC, settings=(("execution", "graph"),)))
    with pytest.raises(RefusedError, match="compiled on a CPU is for"):
        choose_execution(CPU, HALF, "compiled")


@pytest.mark.slow
def test_a_cpu_without_a_compiler_is_refused_in_a_line(tmp_path: Path) -> None:
    """In a process of its own, where nothing has been compiled yet."""
    code = (
        "import torch\nfrom lp_ray.engine.liveportrait.placement import choose_execution\n"
        "from lp_ray.base.errors import RefusedError\ntry:\n"
        "    choose_execution(torch.device('cpu'), torch.float32, 'compiled')\n"
        "except RefusedError as error:\n    print(error)"
    )
    environment = {**os.environ, "LP_RAY_CACHE": str(tmp_path), "CXX": "no-such-compiler"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith(
        "engine.execution=compiled: torch cannot compile for this CPU; install a C++ compiler"
    )
    assert len(ended.stdout.splitlines()) == 1
    (tmp_path / "file").touch()
    environment |= {"LP_RAY_CACHE": str(tmp_path / "file")}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (
        ended.stdout.startswith("cannot keep compiled kernels in")
        and "leave engine.execution=compiled out" in ended.stdout
    )


def test_variants_of_a_kernel_are_limited_in_every_thread() -> None:
    """torch keeps its own limit for each thread: the second must not meet the default one."""
    function = compiled(lambda x: x + 1, 64)
    with ThreadPoolExecutor(1) as thread, torch.inference_mode():
        shapes = [(1,) * n + (2,) for n in range(12)]
        assert thread.submit(torch._dynamo.config.__getattr__, "recompile_limit").result() < len(shapes)
        assert all(thread.submit(_plus_one, function, shape).result() for shape in shapes)


def _plus_one(function: Callable[..., torch.Tensor], shape: tuple[int, ...]) -> bool:
    with torch.inference_mode():
        return bool((function(torch.ones(shape)) == 2).all())


def test_an_unknown_execution_is_refused_before_any_work() -> None:
    with pytest.raises(RefusedError, match="'fast' must be one of auto, eager, graph, compiled"):
        identify_engine(replace(SPEC, settings=(("execution", "fast"),)))


def test_an_execution_by_name_enters_the_keys_and_auto_changes_none() -> None:
    """Compiled kernels round otherwise: no pair may count as done by frames of another execution."""
    plain = identify_engine(SPEC).digest
    named = [identify_engine(replace(SPEC, settings=(("execution", asked),))).digest for asked in ("auto", "graph")]
    assert named[0] == plain != named[1]
    assert create_engine(replace(SPEC, settings=(("execution", "eager"),))).digest not in (plain, named[1])


def test_a_plan_says_where_compiling_does_not_pay() -> None:
    """Ten pairs of 75 frames need not compile; what a job animates for hours should."""

    def identity(device: str, precision: str, execution: str) -> EngineIdentity:
        return identify_engine(replace(SPEC, device=device, precision=precision, settings=(("execution", execution),)))

    for execution in ("auto", "compiled"):
        (line,) = start_lines(identity("cuda", "bfloat16", execution), 750, actors=1)
        assert "fewer than 22000 frames an engine actor" in line and "engine.execution=graph starts in seconds" in line
        assert not start_lines(identity("cuda", "bfloat16", execution), 1_000_000, actors=8)
        assert start_lines(identity("cuda", "bfloat16", execution), 30_000, actors=2), "each of the two has 15,000"
    (line,) = start_lines(identity("cpu", "float32", "compiled"), 75, actors=1)
    assert "fewer than 300 frames an engine actor" in line and "starts in seconds" in line
    for never in (("cuda", "bfloat16", "graph"), ("cuda", "float32", "auto"), ("cpu", "bfloat16", "auto")):
        assert not start_lines(identity(*never), 750, actors=1)
    assert not start_lines(identify_engine(EngineSpec("preview")), 750, actors=1)


def test_kernels_are_kept_in_the_machines_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("LP_RAY_CACHE", str(tmp_path / "cache"))
    assert kernel_folder() == tmp_path / "cache" / "kernels"
    monkeypatch.setenv(VARIABLE, f"{tempfile.gettempdir()}/torchinductor_somebody")
    assert kernel_folder() == tmp_path / "cache" / "kernels", "torch's own default is nobody's wish"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own"))
    assert keep_kernels() == tmp_path / "own", "who sets torch's own variable is heard"


def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("LP_RAY_CACHE", str(file))
    with pytest.raises(RefusedError, match=r"cannot keep compiled kernels in .*LP_RAY_CACHE"):
        keep_kernels()


@pytest.mark.slow
def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("LP_RAY_CACHE", str(tmp_path))
    for name, value in {"COMPILE_THREADS": "1", "CPP_CACHE_PRECOMPILE_HEADERS": "0"}.items():
        monkeypatch.setenv(f"TORCHINDUCTOR_{name}", value)  # one small kernel needs neither
    runs = [subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True) for _ in range(2)]
    assert all(run.returncode == 0 for run in runs), runs[0].stderr
    (first, hits, misses), (second, hits_again, misses_again) = (json.loads(run.stdout) for run in runs)
    assert first == second
    assert any((tmp_path / "kernels").iterdir())
    assert (hits, misses) == (0, 1) and (hits_again, misses_again) == (1, 0)
