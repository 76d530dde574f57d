"""Identifiers of alerts, which their start and end events have in common."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

#: The alphabet of Crockford's base 32, five bits per character.
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_episode_id(
    device: str,
    wall_clock: Callable[[], float] = time.time,
    random_bits: Callable[[int], int] = secrets.randbits,
) -> str:
    """Return the device name, a hyphen, and a ULID (github.com/ulid/spec).

    A ULID contains 48 bits of milliseconds since the epoch and 80 random bits.
    """
    number = (int(wall_clock() * 1000) << 80) | random_bits(80)
    return f"{device}-" + "".join(CROCKFORD[(number >> (5 * i)) & 31] for i in reversed(range(26)))
