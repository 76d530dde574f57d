from __future__ import annotations

import os

from edge.bench.processes import PeakMemory, peak_mb


def test_peak_memory_of_a_running_process() -> None:
    own = peak_mb()
    assert own is not None
    with PeakMemory(os.getpid()) as watched:
        pass
    assert watched.mb is not None
    assert watched.mb >= own > 1.0
    assert peak_mb(2**22 + 1) is None  # larger than any process ID of the kernel
