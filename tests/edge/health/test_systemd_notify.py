from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.health.systemd_notify import Notifier
from tests.support.clock import Clock
from tests.support.systemd.notify_receiver import Systemd


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    receiver = Systemd(str(tmp_path / "notify"))
    yield receiver
    receiver.close()


def test_messages_follow_the_protocol(tmp_path: Path, systemd: Systemd) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}, clock=lambda: 12.5)
    notifier.ready()
    notifier.status("no frames")
    notifier.reloading()
    notifier.stopping()
    assert systemd.received() == [
        "READY=1\nSTATUS=watching",
        "STATUS=no frames",
        "RELOADING=1\nMONOTONIC_USEC=12500000",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_keep_alive_is_sent_twice_per_period(tmp_path: Path, systemd: Systemd) -> None:
    clock = Clock()
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "10000000"}
    notifier = Notifier(environment, clock=clock)
    for _ in range(200):  # twenty seconds at ten frames per second
        notifier.keep_alive()
        clock.advance(0.1)
    assert systemd.received() == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize(
    "environment", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}]
)
def test_no_keep_alive_without_a_watchdog(
    tmp_path: Path, systemd: Systemd, environment: dict[str, str]
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), **environment}, process=7)
    notifier.keep_alive()
    assert systemd.received() == []


def test_abstract_socket_is_supported() -> None:
    receiver = Systemd("\0mask-patrol-test")
    Notifier({"NOTIFY_SOCKET": "@mask-patrol-test"}).ready()
    assert receiver.received() == ["READY=1\nSTATUS=watching"]
    receiver.close()


def test_missing_systemd_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier({}).ready()
    with caplog.at_level("DEBUG"):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
