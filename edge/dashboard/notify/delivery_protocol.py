"""What the dashboard and the process that delivers notifications write to each other.

The process reads its configuration as a line of JSON from standard input, which no other user can
see, and answers with a line on standard output: empty, or why it cannot start. Each further line
that it reads wakes it (`test`: also targets that pause after a failure), and each further line that
it writes is a log message. It ends after the line `stop`, or at the end of the input, which is when
the dashboard was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from edge.config.notify_rule import NotifyRule

STOP_LINE, TEST_LINE = "stop", "test"
#: How long a running attempt may take after the dashboard was stopped, and after it was killed.
STOP_GRACE_S, KILLED_GRACE_S = 5.0, 35.0


class DeliveryConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What the process needs to know. `database` and `addresses` may contain passwords.

    `log_level` is the number of the lowest level that is logged.
    """

    database: str
    log_level: int
    rules: tuple[NotifyRule, ...]
    addresses: Mapping[str, Sequence[str]]
    push_key_file: str = ""

    def __repr__(self) -> str:
        """Return a text without secrets."""
        return f"DeliveryConfiguration of {len(self.rules)} rules"


class LogLine(msgspec.Struct, frozen=True):
    """A log message of the process, which the dashboard logs."""

    level: int
    text: str
