from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.conftest import LONGEST, SOAK_TIMEOUT_S, TESTS, places_of, pytest_collection_modifyitems
from tests.support.cli_process import leftovers_killed, start_mask_patrol
from tests.support.mqtt.brokers import Mosquitto


def time_limits(request: pytest.FixtureRequest, *marks: pytest.MarkDecorator) -> list[object]:
    """Return the time limits, nearest first, of a collected test with `marks`."""
    item = pytest.Function.from_parent(request.node.parent, name="test", callobj=lambda: None)
    for mark in marks:
        item.add_marker(mark)
    pytest_collection_modifyitems(request.config, [item])
    return [mark.args[0] for mark in item.iter_markers("timeout")]


def test_long_test_has_more_time_than_others(request: pytest.FixtureRequest) -> None:
    assert time_limits(request, pytest.mark.soak) == [SOAK_TIMEOUT_S]
    assert time_limits(request, pytest.mark.soak, pytest.mark.timeout(7)) == [7]
    assert time_limits(request) == []


def test_longest_files_start_first_and_folders_are_mixed() -> None:
    longest = [TESTS / name for name in LONGEST]
    assert all(path.is_file() for path in longest)
    others = [TESTS / folder / f"{n}.py" for folder in ("e2e", "training") for n in range(9)]
    place = places_of([*others, *others, *longest[::-1]])
    assert min(place, key=place.__getitem__) == longest[0]
    for folder in ("e2e", "training"):
        files = sorted((path for path in place if folder in path.parts), key=place.__getitem__)
        assert files == [each for each in [*longest, *others] if folder in each.parts]
        assert (place[files[0]] < 0.1, place[files[-1]] > 0.9) == (True, True)


def test_only_processes_of_this_test_are_killed(tmp_path: Path, mosquitto: Mosquitto) -> None:
    watch = ("watch", "--broker", f"127.0.0.1:{mosquitto.port}")
    earlier = start_mask_patrol(tmp_path, *watch)
    with leftovers_killed():
        process = start_mask_patrol(tmp_path, *watch)
    assert process.returncode == -signal.SIGKILL
    assert earlier.poll() is None
    earlier.kill()
    earlier.communicate()
