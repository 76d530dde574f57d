"""Attempts to log in: who must wait, what a restart keeps, and what is logged."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge.dashboard.access.login_attempts as module
from edge.common.logging_setup import _FORMATTERS, BURST, RateLimit
from edge.dashboard.access.attempt_store import AttemptStore
from edge.dashboard.access.hashing_thread import HashingThread, TooManyAttemptsError
from edge.dashboard.access.login_attempts import Client, LoginAttempts
from edge.dashboard.access.login_throttle import FREE_ATTEMPTS, MAX_CLIENTS, MAX_WAIT_S
from tests.support.clock import Clock

DOCUMENT = Path(module.__file__).parents[1] / "README.md"
ADDRESS = "192.0.2.7"
STRANGER, OWNER = Client(ADDRESS), Client(ADDRESS, "browser-of-the-owner")


class Door:
    """Attempts with a file and with clocks that the test moves; `restart` opens the file again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock, self.wall_clock = Clock(0.0), Clock(1_790_000_000.0)
        self._open()

    def _open(self) -> None:
        self._hashing, self._store = HashingThread(), AttemptStore(self._path)
        self._attempts = LoginAttempts(self._hashing, self._store, self.clock, self.wall_clock)

    def close(self) -> None:
        self._hashing.stop()
        self._store.close()

    def restart(self, down_s: float = 1.0, clock_set_back_s: float = 0.0) -> None:
        self.close()
        self.clock.now_s = 5.0  # seconds since the boot
        self.wall_clock.advance(down_s - clock_set_back_s)
        self._open()

    def attempt(self, client: Client, is_right: bool = False) -> bool:
        return asyncio.run(self._attempts.check(client, lambda: is_right, "password"))

    def wait_s(self, client: Client) -> float:
        """Make an attempt; return how long the client must wait for it, 0 if it was checked."""
        try:
            self.attempt(client)
        except TooManyAttemptsError as error:
            return error.wait_s
        return 0.0

    def fail(self, client: Client, times: int = FREE_ATTEMPTS) -> None:
        """Make attempts, each as soon as it is allowed."""
        for _ in range(times):
            wait_s = self.wait_s(client)
            if wait_s:
                self.clock.advance(wait_s)
                self.wall_clock.advance(wait_s)
                assert self.wait_s(client) == 0.0


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path / "attempts.sqlite3")
    yield door
    door.close()


def test_known_browser_is_not_delayed_by_its_address(door: Door) -> None:
    door.fail(STRANGER, 12)
    assert door.wait_s(STRANGER) > 60.0
    assert door.attempt(OWNER, is_right=True)
    assert door.wait_s(STRANGER) > 60.0  # the owner's log-in does not help the attacker


def test_known_browser_has_its_own_delay(door: Door) -> None:
    door.fail(OWNER)
    assert door.wait_s(OWNER) > 0.0
    assert door.wait_s(STRANGER) == 0.0
    assert door.wait_s(Client(ADDRESS, "another-browser")) == 0.0


def test_very_many_addresses_do_not_delay_known_browsers(door: Door) -> None:
    for number in range(MAX_CLIENTS):
        door._attempts._addresses.begin_attempt(f"address {number}", 0.0)
    door.fail(Client("198.51.100.1"))
    assert door.wait_s(Client("198.51.100.2")) > 0.0
    assert door.attempt(OWNER, is_right=True)


def test_ipv6_network_counts_as_one_address(door: Door) -> None:
    for number in range(FREE_ATTEMPTS):
        door.fail(Client(f"2001:db8::{number:x}"), 1)
    assert door.wait_s(Client("2001:db8::ffff")) > 0.0
    assert door.wait_s(Client("2001:db8:0:1::1")) == 0.0


def test_ipv4_addresses_on_an_ipv6_socket_count_separately(door: Door) -> None:
    door.fail(Client("::ffff:192.0.2.1"))
    assert door.wait_s(Client("::ffff:192.0.2.1")) > 0.0
    assert door.wait_s(Client("::ffff:192.0.2.2")) == 0.0


def test_restart_keeps_the_delays(door: Door) -> None:
    door.fail(STRANGER, 10)
    door.fail(OWNER)
    before_s = door.wait_s(STRANGER)
    door.restart(down_s=10.0)
    assert door.wait_s(STRANGER) == pytest.approx(before_s - 10.0)
    assert door.wait_s(Client("192.0.2.8")) == 0.0
    door.restart(down_s=3600.0 * 2)
    assert door.wait_s(STRANGER) == 0.0


def test_right_attempt_is_forgotten_at_a_restart(door: Door) -> None:
    door.fail(STRANGER)
    door.clock.advance(10.0)
    assert door.attempt(STRANGER, is_right=True)
    door.restart()
    door.fail(STRANGER, 1)


def test_clock_that_was_set_back_does_not_prolong_a_delay(door: Door) -> None:
    door.fail(STRANGER, 20)
    door.restart(clock_set_back_s=1e8)
    assert 0.0 < door.wait_s(STRANGER) <= MAX_WAIT_S


def test_attempt_that_never_ended_counts_after_a_restart(door: Door) -> None:
    def die() -> bool:
        raise RuntimeError  # stands for the end of the process during the check

    for _ in range(FREE_ATTEMPTS):
        with pytest.raises(RuntimeError):
            asyncio.run(door._attempts.check(STRANGER, die, "password"))
    door.restart(down_s=0.0)
    assert door.wait_s(STRANGER) > 0.0


def test_every_wrong_password_is_logged_with_its_address(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    limit = RateLimit(Clock())
    addresses = [f"192.0.2.{number}" for number in range(1, 4 * BURST)]
    for address in addresses:
        door.fail(Client(f"::ffff:{address}"), 1)
    door.fail(OWNER, 1)
    assert [record.getMessage() for record in caplog.records if limit.filter(record)] == [
        f"wrong password from {address}" for address in (*addresses, ADDRESS)
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_filter_of_the_document_matches_the_log(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    found = re.search(r"^failregex = (.*)$", DOCUMENT.read_text(), re.MULTILINE)
    assert found is not None
    expression = re.compile(found[1].replace("<ADDR>", r"(?P<address>[0-9a-f.:]+)"))
    addresses = ["192.0.2.7", "2001:db8::7"]
    for address in addresses:
        door.fail(Client(address), 1)
    formatter = _FORMATTERS["journal"]()
    # fail2ban reads the host, the program and the message; the journal removes the priority.
    lines = [
        f"host mask-patrol[7]: {formatter.format(record).removeprefix('<4>')}"
        for record in caplog.records
    ]
    assert [match["address"] for line in lines if (match := expression.search(line))] == addresses
    assert not expression.search(f"{lines[0]} and more")
    assert not expression.search(lines[0].replace("edge.dashboard", "edge.x: edge.dashboard"))
