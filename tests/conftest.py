from __future__ import annotations

import importlib.abc
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.cli_process import leftovers_killed
from tests.support.dashboard.dashboards import Dashboard
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.certificates import Authority


class _NoTensorFlow(importlib.abc.MetaPathFinder):
    """Refuses TensorFlow in the processes of the tests, whichever test comes first in them.

    After its import, tflite-runtime can load no model in the same process (their symbols clash),
    so that the tests of the runtimes fail that happen to run there.
    """

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname in ("tensorflow", "keras"):
            raise AssertionError(
                f"a test imports {fullname} in its own process; run the command with"
                " tests.support.training.datasets.python instead"
            )


sys.meta_path.insert(0, _NoTensorFlow())

# No test asserts an absolute duration, which depends on what else runs on the machine.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")

TESTS = Path(__file__).parent
END_TO_END = TESTS / "e2e"
#: The files that take longest, at least half a minute. They start early, because a long file that
#: starts late keeps one worker busy after the others have ended.
LONGEST = (
    "systemd/test_device.py",
    "systemd/test_local_broker.py",
    "systemd/first_boot/test_first_boot.py",
    "training/test_workers.py",
    "training/face_detector/test_detector_training.py",
    "training/fit/test_left_out.py",
    "training/fit/test_training_run.py",
    "training/test_end_to_end.py",
    "convert/network/test_variants.py",
    "convert/classifier/test_conversion.py",
    "convert/face_detector/test_detector_conversion.py",
    "e2e/test_run.py",
    "e2e/test_damaged_files.py",
    "e2e/test_bench.py",
    "fuzz/test_mqtt_packets.py",
    "fuzz/test_model_files.py",
)
#: The time limit of a test of `make soak` that does not set its own: the limit in `pyproject.toml`
#: is for tests of seconds.
SOAK_TIMEOUT_S = 3600.0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of whole processes as slow, so that `make unit` leaves them out.

    Also give the tests of `make soak` enough time. In the workers of pytest-xdist, put the files in
    the order in which they are to start.
    """
    for item in items:
        if item.path.is_relative_to(END_TO_END):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("soak") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SOAK_TIMEOUT_S))
    if hasattr(config, "workerinput"):
        _order_files(items)


def _order_files(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first, evenly mixed from all folders of `tests`.

    Workers that run at the same time then differ in what they need: those of `training` compute,
    and those of `e2e` wait. The quick files at the end let all workers end together.
    """
    place = places_of([item.path for item in items if _is_slow(item)])
    items.sort(key=lambda item: place.get(item.path, 1.0))


def places_of(paths: Sequence[Path]) -> dict[Path, float]:
    """Return the places of files in the run, from 0 to 1: those in `LONGEST` are the first of
    their folder, and the very first file starts first of all.
    """
    rank = {TESTS / name: number for number, name in enumerate(LONGEST)}
    by_folder: dict[str, list[Path]] = {}
    for path in sorted(dict.fromkeys(paths), key=lambda path: rank.get(path, len(rank))):
        by_folder.setdefault(path.relative_to(TESTS).parts[0], []).append(path)
    place = {
        path: (index + 0.5) / len(files)
        for files in by_folder.values()
        for index, path in enumerate(files)
    }
    return {**place, TESTS / LONGEST[0]: 0.0}


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


@pytest.fixture(autouse=True)
def _stop_leftover_brokers() -> Iterator[None]:
    """Stop the brokers that a failed test started and did not stop."""
    yield
    for server in list(Mosquitto.running):
        server.stop()


@pytest.fixture(autouse=True)
def _stop_leftover_dashboards() -> Iterator[None]:
    """Kill the dashboards that a failed test started and did not stop."""
    yield
    for dashboard in list(Dashboard.running):
        dashboard.stop(signal.SIGKILL)


@pytest.fixture(autouse=True)
def _kill_leftover_processes() -> Iterator[None]:
    """Kill the commands that a failed test started and did not stop."""
    with leftovers_killed():
        yield


@pytest.fixture(autouse=True)
def _restored_root_logger() -> Iterator[None]:
    """Undo what a command that a test calls in this process has set up for its own log."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    listener = Subscriber(mosquitto.broker)
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "stranger")
