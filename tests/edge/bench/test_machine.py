from __future__ import annotations

import os
from pathlib import Path

from edge.bench.machine import machine, processor


def test_processor_name_comes_from_board_or_cpuinfo(tmp_path: Path) -> None:
    board, info = tmp_path / "model", tmp_path / "cpuinfo"
    assert processor(board, info) == "unknown"
    info.write_text("processor\t: 0\nmodel name\t: An Engine\n")
    assert processor(board, info) == "An Engine"
    board.write_text("Raspberry Pi 4 Model B Rev 1.5\0")
    assert processor(board, info) == "Raspberry Pi 4 Model B Rev 1.5"
    assert machine()["cores"] == os.cpu_count()
