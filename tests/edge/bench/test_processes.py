"""What is measured from outside: memory, start-up, instructions, and on what machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import cv2
import pytest

from edge.bench import daemon_process, instruction_count
from edge.bench.alert_latency import alert_figures
from edge.bench.instruction_count import counter, perf_count_in, valgrind_count_in
from edge.bench.isolated_run import played_alone
from edge.bench.machine import machine, processor
from edge.bench.measure import one_opencv_thread
from edge.bench.processes import PeakMemory, peak_mb
from edge.bench.settings_file import as_toml
from edge.bench.startup import mark_of, start_figures
from edge.bench.threads import thread_figures
from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.config.settings import Settings, change, load_settings
from tests.support.pictures import bare_seconds

SETTINGS = Settings(device="door1")


def test_the_peak_of_a_process_is_known_while_it_lives() -> None:
    own = peak_mb()
    assert own is not None
    with PeakMemory(os.getpid()) as watched:
        pass
    assert watched.mb is not None
    assert watched.mb >= own > 1.0
    assert peak_mb(2**22 + 1) is None  # beyond the kernel's largest id


@pytest.mark.parametrize("contender", ["ours", "original"])
def test_a_contender_alone_tells_of_its_memory(contender: str, tmp_path: Path) -> None:
    config = tmp_path / "bench.toml"
    config.write_text(as_toml(SETTINGS))
    said = played_alone(contender, config, frames=2)
    assert said["frames"] == 2
    assert said["peak_mb"] > 1.0


def test_a_contender_that_fails_says_why_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ours could not be played alone: cannot read") as caught:
        played_alone("ours", tmp_path / "none.toml", frames=1)
    assert "\n" not in str(caught.value)


def test_settings_written_are_settings_read(tmp_path: Path) -> None:
    settings = change(
        SETTINGS,
        camera={"source": 'Café "hall" \\ \U0001f3a5.mp4', "zone": [[0, 0], [1, 0], [0.5, 1]]},
        events={"alert_threshold": 0.25, "alert_on": ["no_mask", "incorrect_mask"]},
        snapshot={"enabled": True},
    )
    path = tmp_path / "bench.toml"
    path.write_text(as_toml(settings), encoding="utf-8")
    assert load_settings(path) == settings


def test_marks_are_read_from_messages() -> None:
    assert mark_of("status", b"online") == "online"
    assert mark_of("status", b"offline") is None
    assert mark_of("state", b'{"people": 0}') is None
    assert mark_of("state", b'{"people": 1}') == "reading"
    assert mark_of("events", b"{}") == "alert"
    assert mark_of("health", b"{}") is None


def test_a_start_of_the_daemon_is_timed(tmp_path: Path) -> None:
    outbox = tmp_path / "the door's own.sqlite3"
    told: list[str] = []
    found = start_figures(change(SETTINGS, outbox={"path": str(outbox)}), 1, told.append)
    assert 0.0 < found.online_s.median <= found.reading_s.median <= found.alert_s.median
    assert told == ["start 1 of 1"]
    assert not outbox.exists(), "what a device keeps is not touched"
    if sys.platform == "linux":
        assert found.peak_mb is not None
        assert found.peak_mb > 1.0


def test_a_daemon_that_does_not_start_says_why() -> None:
    settings = change(SETTINGS, classifier={"model": "/none.tflite"})
    with pytest.raises(UserError, match=r"could not be timed: .*none\.tflite"):
        start_figures(settings, 1)


def test_without_an_embedded_broker_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemon_process.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'mask-patrol\[broker\]'"):
        start_figures(SETTINGS, 1)


def test_alerts_are_timed_while_two_people_are_in_view() -> None:
    found = alert_figures(SETTINGS, visits=1)
    assert found.alerts == 4
    assert 0.0 < found.p50_ms <= found.p95_ms


def test_alerts_of_a_daemon_that_fails_are_not_waited_for() -> None:
    settings = change(SETTINGS, classifier={"model": "/none.tflite"})
    with pytest.raises(UserError, match=r"alerts could not be timed: .*none\.tflite"):
        alert_figures(settings, visits=1)


def test_threads_are_measured_and_given_back() -> None:
    shown = [Frame(image, index * 0.1, index) for index, image in enumerate(bare_seconds()[:2])]
    with one_opencv_thread():
        found = thread_figures(SETTINGS, shown)
        assert cv2.getNumThreads() == 1
    assert [each.threads for each in found] == [1, 2, 4]
    assert all(each.detect_ms > 0.0 and each.classify_cpu_ms > 0.0 for each in found)


def test_counts_are_found_in_what_the_tools_say() -> None:
    assert perf_count_in("# started\n\n123456,,instructions:u,1000,100.00,,\n") == 123456
    assert perf_count_in("<not supported>,,instructions:u,0,100.00,,\n") is None
    assert valgrind_count_in("==7== \n==7== Collected : 987\n") == 987
    assert valgrind_count_in("==7== nothing\n") is None


def test_loading_and_decoding_are_taken_off_the_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    costs = {"ours": 1_500, "original": 31_000}

    def valgrind_count(command: list[str]) -> int:
        contender = next(word for word in command if word in costs)
        return 1_000 if "--idle" in command else costs[contender]

    monkeypatch.setattr(instruction_count, "_valgrind_count", valgrind_count)
    found = instruction_count.instructions_per_frame(
        ["ours", "original"], tmp_path, "valgrind", frames=10
    )
    assert found == {"ours": 50, "original": 3_000}


def test_a_machine_that_counts_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="--instructions"):
        counter(valgrind=False)
    with pytest.raises(UserError, match="apt install valgrind"):
        counter(valgrind=True)


def test_the_machine_says_what_it_is(tmp_path: Path) -> None:
    board, info = tmp_path / "model", tmp_path / "cpuinfo"
    assert processor(board, info) == "unknown"
    info.write_text("processor\t: 0\nmodel name\t: An Engine\n")
    assert processor(board, info) == "An Engine"
    board.write_text("Raspberry Pi 4 Model B Rev 1.5\0")
    assert processor(board, info) == "Raspberry Pi 4 Model B Rev 1.5"
    assert machine()["cores"] == os.cpu_count()
