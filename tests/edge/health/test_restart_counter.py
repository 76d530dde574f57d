from __future__ import annotations

from pathlib import Path

import pytest

from edge.health.restart_counter import RestartCounter


def test_start_after_a_clean_stop_does_not_count(tmp_path: Path) -> None:
    for _ in range(3):
        with RestartCounter(tmp_path / "state" / "restarts.json") as restarts:
            assert restarts.count == 0


def test_start_after_a_crash_counts(tmp_path: Path) -> None:
    path = tmp_path / "restarts.json"
    RestartCounter(path).__enter__()  # without `__exit__`, as after a power failure
    with pytest.raises(ZeroDivisionError), RestartCounter(path) as second:
        assert 1 / (second.count - 1)
    with RestartCounter(path) as third:
        assert third.count == 2
    with RestartCounter(path) as fourth:
        assert fourth.count == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"restarts": "x", "running": 1}',
        "9" * 5000,
        '{"restarts": Infinity, "running": false}',
        '{"restarts": -7, "running": false}',
    ],
)
def test_damaged_file_counts_from_zero(tmp_path: Path, text: str) -> None:
    (tmp_path / "restarts.json").write_text(text)
    with RestartCounter(tmp_path / "restarts.json") as restarts:
        assert restarts.count == 0


def test_unwritable_file_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with RestartCounter(tmp_path / "file" / "restarts.json") as restarts:
        assert restarts.count == 0
