from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.health.systemd_notify import Notifier


class Systemd:
    """The receiving end of sd_notify(3)."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    receiver = Systemd(str(tmp_path / "notify"))
    yield receiver
    receiver.close()


def test_it_is_told_in_its_own_words(tmp_path: Path, systemd: Systemd) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}, clock=lambda: 12.5)
    notifier.ready()
    notifier.status("no frames")
    notifier.reloading()
    notifier.stopping()
    assert systemd.told() == [
        "READY=1\nSTATUS=watching",
        "STATUS=no frames",
        "RELOADING=1\nMONOTONIC_USEC=12500000",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_the_watchdog_is_fed_at_twice_its_rate_however_often_there_is_progress(
    tmp_path: Path, systemd: Systemd
) -> None:
    now_s = [100.0]
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000"}
    notifier = Notifier(environment, clock=lambda: now_s[0])
    for _ in range(200):  # frames, ten a second
        notifier.alive()
        now_s[0] += 0.1
    assert systemd.told() == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}]
)
def test_no_watchdog_is_fed_that_nobody_asked_for(
    tmp_path: Path, systemd: Systemd, environment: dict[str, str]
) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), **environment}, process=7).alive()
    assert systemd.told() == []


def test_an_abstract_socket(tmp_path: Path) -> None:
    receiver = Systemd("\0mask-patrol-test")
    Notifier({"NOTIFY_SOCKET": "@mask-patrol-test"}).ready()
    assert receiver.told() == ["READY=1\nSTATUS=watching"]
    receiver.close()


def test_without_systemd_and_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
