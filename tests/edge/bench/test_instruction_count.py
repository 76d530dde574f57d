from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.bench import instruction_count
from edge.bench.instruction_count import counter, perf_count_in, valgrind_count_in
from edge.common.errors import UserError


def test_counts_are_parsed_from_tool_output() -> None:
    assert perf_count_in("# started\n\n123456,,instructions:u,1000,100.00,,\n") == 123456
    assert perf_count_in("<not supported>,,instructions:u,0,100.00,,\n") is None
    assert valgrind_count_in("==7== \n==7== Collected : 987\n") == 987
    assert valgrind_count_in("==7== nothing\n") is None


def test_idle_instructions_are_subtracted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    costs = {"ours": 1_500, "original": 31_000}

    def valgrind_count(command: list[str]) -> int:
        contender = next(word for word in command if word in costs)
        return 1_000 if "--idle" in command else costs[contender]

    monkeypatch.setattr(instruction_count, "_valgrind_count", valgrind_count)
    found = instruction_count.instructions_per_frame(
        ["ours", "original"], tmp_path, "valgrind", frames=10
    )
    assert found == {"ours": 50, "original": 3_000}


def test_missing_counters_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="--instructions"):
        counter(valgrind=False)
    with pytest.raises(UserError, match="apt install valgrind"):
        counter(valgrind=True)
