"""The text of a notification. It contains no picture and no address of the dashboard.

Titles of devices and reasons of faults come from MQTT, and whoever sends them may be an attacker.
They pass through mail, HTML, Markdown and chat programs, which all have rules of their own.
`inert` therefore replaces the characters with which text can become markup, a link or a mention by
others that look alike and mean nothing to any of these. HTML, JSON and headers of mail are in
addition escaped by the libraries that produce them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from edge.config.title import DIRECTION_CONTROLS
from edge.dashboard.base.display_names import END, ISOLATE
from edge.dashboard.base.local_time import local_time

#: Characters of Markdown, HTML, mentions and addresses, and the full-width forms that replace them.
_LOOK_ALIKE = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "<>[]*_~`|\\@#{}"})
#: A dot or a colon inside of a word, which makes a host name or an address of it, and what
#: replaces it: ONE DOT LEADER, and MODIFIER LETTER COLON. Times such as 08:15 keep the colon.
_IN_WORD = ((re.compile(r"\.(?=\w)"), "\u2024"), (re.compile(r":(?=/|\w)(?<!\d:)"), "\ua789"))

#: What an alert with each label is called.
_LABELS = {"no_mask": "no mask", "incorrect_mask": "mask worn incorrectly"}
_PEOPLE = {"no_mask": "A person without a mask", "incorrect_mask": "A mask worn incorrectly"}


@dataclass(frozen=True)
class Message:
    """A notification as text: a line of `title`, and `body`; `tag` identifies it."""

    title: str
    body: str
    tag: str


def render(row: Any) -> Message:
    """Return the message for a row of the table `notifications`."""
    title, body = _TEXTS[row.topic](row)
    return Message(title, body, f"{row.rule}/{row.key}")


def inert(text: str) -> str:
    """Return `text` in one line, without characters that have a meaning in a markup language.

    Text that is written from right to left is isolated: it would reorder the text around it.
    """
    line = "".join(" " if _is_control(char) else char for char in text).translate(_LOOK_ALIKE)
    for pattern, replacement in _IN_WORD:
        line = pattern.sub(replacement, line)
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in line):
        return f"{ISOLATE}{line}{END}"
    return line


def _is_control(char: str) -> bool:
    """Return whether a character begins a line, or changes the direction of what follows."""
    is_control = unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
    return is_control or char in DIRECTION_CONTROLS


def label_text(label: str) -> str:
    """Return the text for the label of an alert."""
    return _LABELS.get(label) or inert(label)


def place(device: str, title: str) -> str:
    """Return how a message names a device: its title, if it has one, and its name."""
    if not title or title == device:
        return device
    return f"{inert(title)} ({device})"


def local_time_text(at_s: float) -> str:
    """Return a time (seconds since the epoch) in the time zone of this machine."""
    return local_time(at_s).strftime("%Y-%m-%d %H:%M:%S %Z")


def _alert(row: Any) -> tuple[str, str]:
    where = place(row.device, row.title)
    if row.total > 1:
        return _digest(row, where)
    what = _PEOPLE.get(row.label) or f"A person with the label {inert(row.label)}"
    return (
        f"{label_text(row.label).capitalize()} at {where}",
        f"{what} at {where}, {local_time_text(row.first_s)}.",
    )


def _digest(row: Any, where: str) -> tuple[str, str]:
    minutes = max(1, round((row.last_s - row.first_s) / 60.0 + 0.5))
    period = "a minute" if minutes == 1 else f"{minutes} minutes"
    return (
        f"{row.total} alerts at {where} in {period}",
        f"{row.total} alerts at {where} from {local_time_text(row.first_s)} to"
        f" {local_time_text(row.last_s)}: {row.detail}.",
    )


def _offline(row: Any) -> tuple[str, str]:
    where = place(row.device, row.title)
    why = "is not connected to the broker" if row.detail == "offline" else "sends no messages"
    return (
        f"Device offline: {where}",
        f"The device {where} {why}. It was noticed at {local_time_text(row.first_s)}. Until it"
        " is back, nobody at this door causes an alert.",
    )


def _camera(row: Any) -> tuple[str, str]:
    where = place(row.device, row.title)
    return (
        f"Camera problem: {where}",
        f"The device {where} reports a problem: {inert(row.detail)}. It was noticed at"
        f" {local_time_text(row.first_s)}. Until it is mended, nobody at this door causes an"
        " alert.",
    )


def _lost(row: Any) -> tuple[str, str]:
    where = place(row.device, row.title)
    events = "1 event" if row.total == 1 else f"{row.total} events"
    return (
        f"Events lost: {where}",
        f"{events} of the device {where} never arrived at the dashboard. It was noticed at"
        f" {local_time_text(row.first_s)}. The Health page lists their numbers.",
    )


def _test(row: Any) -> tuple[str, str]:
    return (
        f"Test of the rule {row.rule}",
        f"Notifications of the rule {row.rule} arrive. Somebody pressed the button Test on the"
        f" dashboard at {local_time_text(row.first_s)}.",
    )


_TEXTS = {
    "alert": _alert,
    "device_offline": _offline,
    "camera_stalled": _camera,
    "events_lost": _lost,
    "test": _test,
}
