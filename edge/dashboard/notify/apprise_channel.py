"""Messages by Apprise: mail, chat programs, webhooks and many more, chosen by an address."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, NotifyFormat

from edge.common.errors import UsageError
from edge.dashboard.notify.channel import SendResult, connection_error
from edge.dashboard.notify.message_text import Message

#: How long connecting, and each wait for data, may take. Apprise's own limit for data, 4 s, is too
#: short: a slow receiver would get the message again and again.
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 20.0
#: Shorter parts of an address are no secret, and would occur in other words.
MIN_SECRET_LENGTH = 4
HIDDEN = "***"
_STATUS = re.compile(r"error=([45]\d\d)\b")
_SEPARATORS = re.compile(r"[/:@?&=,;#]+")


def silence_libraries() -> None:
    """Log nothing of the libraries' own: their messages contain addresses and tokens."""
    for name in ("apprise", "urllib3", "requests"):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
    # Apprise says only at this level why a connection failed; `AppriseChannel` reads that.
    logging.getLogger("apprise").setLevel(logging.DEBUG)


class AppriseChannel:
    """One receiver, given by its Apprise address."""

    def __init__(self, address: str, description: str) -> None:
        """Parse the address.

        Raises UsageError, which names the address by `description` and does not contain it.
        """
        asset = AppriseAsset(
            app_id="Mask Patrol", app_desc="Mask Patrol", async_mode=False, storage_mode="memory"
        )
        service = Apprise.instantiate(address, asset=asset)
        if service is None:
            raise UsageError(
                f"{description} is not an address that Apprise knows: see its list of services,"
                " https://appriseit.com/services/"
            )
        if "rto=" not in address:
            service.socket_read_timeout = READ_TIMEOUT_S
        if "cto=" not in address:
            service.socket_connect_timeout = CONNECT_TIMEOUT_S
        self._timeout_s = float(service.socket_read_timeout)
        self._secrets = _secret_parts(address)
        self._apprise = Apprise(asset=asset)
        self._apprise.add(service)

    def send(self, message: Message) -> SendResult:
        """Hand over a message."""
        with self._apprise.notify(
            body=message.body,
            title=message.title,
            body_format=NotifyFormat.TEXT,
            interpret_escapes=False,
            log_level=logging.DEBUG,
        ) as result:
            return SendResult("" if result else self._reason(result))

    def _reason(self, result: Any) -> str:
        """Return why a message was not handed over, from what Apprise has logged."""
        logged = [(entry.level, entry.message) for entry in result.logs()]
        for _, text in logged:
            if "Exception" in text and (reason := connection_error(text, self._timeout_s)):
                return reason
            if status := _STATUS.search(text):
                return f"the receiver answered with the status {status[1]}"
        warnings = [text for level, text in logged if level in ("WARNING", "ERROR")]
        return self._hide(warnings[0]) if warnings else "the receiver did not accept the message"

    def _hide(self, text: str) -> str:
        """Return `text` in one line, without the parts of the address."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return " ".join(text.split())


def _secret_parts(address: str) -> list[str]:
    """Return the parts of an address that may be secret, the longest first."""
    _, _, rest = address.partition("://")
    parts = {part for part in _SEPARATORS.split(rest) if len(part) >= MIN_SECRET_LENGTH}
    parts |= {unquote(part) for part in parts}
    return sorted(parts, key=lambda part: (-len(part), part))
