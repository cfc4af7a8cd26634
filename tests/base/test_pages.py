"""Arrays whose memory goes back when they go."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.pages import empty_pages

MEGABYTE = 1 << 20


def anonymous_bytes() -> int:
    """Return what of this process is resident and of no file (proc(5))."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


def test_memory_goes_back_however_much_comes_and_goes_between() -> None:
    """Twenty chunks, each with a small array after it that stays: malloc's heap would keep what lies between these."""
    small, before = [], anonymous_bytes()
    for i in range(20):
        chunk = empty_pages(24, MEGABYTE)
        chunk[:] = i + 1
        assert anonymous_bytes() > before + 20 * MEGABYTE, "it is really there"
        small.append(np.ones(1000))
        del chunk
        assert anonymous_bytes() < before + 4 * MEGABYTE


def test_an_array_begins_with_zeros_and_can_be_written() -> None:
    array = empty_pages(3, 5, 2)
    assert array.shape == (3, 5, 2) and array.dtype == np.uint8 and not array.any()
    array[1, 2] = 7
    assert array.sum() == 14 and array.flags.c_contiguous
    view = array[1]
    del array
    assert view.sum() == 14, "a view keeps the pages"


@pytest.mark.parametrize("shape", [(0,), (0, 512, 512, 3)])
def test_an_array_of_nothing(shape: tuple[int, ...]) -> None:
    assert empty_pages(*shape).shape == shape


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
@pytest.mark.parametrize("keeps", [False, True])
def test_freed_memory_is_kept_where_it_is_asked_for(keeps: bool) -> None:
    """Page faults of an array of 80 MB that comes again: in a process of its own, which stays so for good."""
    code = (
        "import resource, numpy as np\nfrom lp_ray.base.pages import keep_freed_memory\n"
        f"if {keeps}: keep_freed_memory()\nfaults = []\n"
        "for _ in range(3):\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    np.full(80 << 20, 7, np.uint8)\n"
        "    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)\n"
        "print(*faults)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *others = map(int, ended.stdout.split())
    assert first > 30
    assert all((faults < first / 4) == keeps for faults in others), ended.stdout
