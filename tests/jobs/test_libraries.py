"""`python -m benchmarks.engine.libraries` on small maps: all libraries agree with torch, and each is in the table."""

from __future__ import annotations

import pytest

from benchmarks.engine.libraries import LAYERS, LibraryBench, run, table

pytestmark = pytest.mark.slow


def test_every_library_computes_every_layer() -> None:
    pytest.importorskip("onnx", reason="builds the models of ONNX Runtime and OpenVINO")
    report = run(LibraryBench(rounds=1, shrink=8, fused=False))
    lines = table(report).splitlines()
    assert len(lines) == 3 + len(LAYERS)
    assert all(name in lines[1] for name in ("torch", "ONNX Runtime", "tiles", "bmm", "packed"))
