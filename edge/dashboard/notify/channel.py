"""What the delivery needs of a channel: a way to hand a message to one receiver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.dashboard.notify.message_text import Message


@dataclass(frozen=True)
class SendResult:
    """The result of an attempt; `error` is one line without secrets, empty after a success.

    `is_gone`: the receiver will never accept a message again.
    """

    error: str = ""
    is_gone: bool = False


class Channel(Protocol):
    """Hands messages to one receiver."""

    def send(self, message: Message) -> SendResult:
        """Hand over a message; this blocks until the receiver has answered, or for a time limit."""


def connection_error(details: str, timeout_s: float) -> str:
    """Return why a connection failed, from the text of a library's error; empty if unknown."""
    text = details.lower()
    for words, reason in (
        (("timed out", "timeout"), f"the receiver did not answer within {timeout_s:g} s"),
        (("certificate",), "the certificate of the receiver is not valid" + _verdict(details)),
        (("connection refused",), "the receiver refused the connection"),
        (
            ("name or service", "name resolution", "nodename", "getaddrinfo", "no address"),
            "the host name of the receiver cannot be resolved",
        ),
        (("unreachable", "no route"), "the network of the receiver cannot be reached"),
        (
            ("reset by peer", "aborted", "without response", "unexpectedly closed"),
            "the receiver closed the connection without an answer",
        ),
    ):
        if any(word in text for word in words):
            return reason
    return ""


def _verdict(details: str) -> str:
    """Return what OpenSSL says about a certificate, after a colon."""
    verdict = details.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
    return f": {verdict}" if verdict else ""
