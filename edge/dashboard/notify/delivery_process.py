"""The process that delivers notifications, apart from the dashboard.

It is a process of its own for three reasons: a library that does not return cannot hold up the
dashboard, its memory is in use only where there are rules, and it survives when the dashboard is
killed. It then completes the attempt that is running and records its outcome, so that the message
is not sent again.

`edge.dashboard.notify.delivery_protocol` describes what it reads and writes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO

import msgspec

from edge.common.errors import UserError
from edge.config.notify_rule import NotifyRule
from edge.dashboard.history.database import open_database
from edge.dashboard.notify.apprise_channel import silence_libraries
from edge.dashboard.notify.delivery import Delivery
from edge.dashboard.notify.delivery_protocol import (
    KILLED_GRACE_S,
    STOP_GRACE_S,
    STOP_LINE,
    TEST_LINE,
    DeliveryConfiguration,
    LogLine,
)
from edge.dashboard.notify.notification_queue import NotificationQueue
from edge.dashboard.notify.push_subscriptions import PushSubscriptions
from edge.dashboard.notify.reason_collector import HOLD_FAULTS_S, CollectedRule, ReasonCollector
from edge.dashboard.notify.receivers import AllReceivers, ConfiguredReceivers
from edge.dashboard.notify.vapid_key import load_vapid_key


def main(source: TextIO = sys.stdin, answer: TextIO = sys.stdout) -> int:
    """Run the process; return its exit code."""
    # systemd and the terminal send these signals to all processes of the dashboard, but the
    # dashboard itself decides when this one ends.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # killed before the dashboard when memory runs out
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    silence_libraries()
    try:
        configuration = msgspec.json.decode(source.readline(), type=DeliveryConfiguration)
        key_file = configuration.push_key_file
        key = load_vapid_key(Path(key_file)) if key_file else None
        configured = ConfiguredReceivers(configuration.addresses)
        engine = open_database(configuration.database)
    except UserError as error:
        _answer(answer, str(error))
        return error.exit_code
    queue = NotificationQueue(engine)
    receivers = AllReceivers(
        configured,
        configuration.rules,
        PushSubscriptions(engine),
        queue,
        key,
    )
    delivery = Delivery(
        queue,
        ReasonCollector(engine, hold_faults_s=HOLD_FAULTS_S),
        [_collected(rule) for rule in configuration.rules],
        receivers,
    )
    _answer(answer, "")
    # Only from here on: the dashboard takes the first line for the answer.
    logging.basicConfig(level=configuration.log_level, handlers=[_LineHandler(answer)])
    thread = threading.Thread(target=delivery.run, name="delivery")
    thread.start()
    line = source.readline()
    while line and line.strip() != STOP_LINE:
        delivery.wake(line.strip() == TEST_LINE)
        line = source.readline()
    delivery.stop()
    is_idle = delivery.wait_until_idle(STOP_GRACE_S if line else KILLED_GRACE_S)
    logging.shutdown()
    # A thread that still waits for a receiver would keep a normal exit waiting.
    os._exit(0 if is_idle else 1)


class _LineHandler(logging.Handler):
    """Writes each log message as a `LogLine`."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message."""
        text = self.format(record)
        _answer(self._stream, msgspec.json.encode(LogLine(record.levelno, text)).decode())


def _answer(stream: TextIO, text: str) -> None:
    with contextlib.suppress(OSError):  # the dashboard has been killed already
        stream.write(f"{text}\n")
        stream.flush()


def _collected(rule: NotifyRule) -> CollectedRule:
    return CollectedRule(
        rule.name,
        60.0 * rule.cooldown_min,
        60.0 * rule.digest_min,
        60.0 * rule.max_age_min,
        rule.hours,
    )


if __name__ == "__main__":
    sys.exit(main())
