"""Identifiers of alert episodes: the device name and a ULID."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_episode_id(
    device: str,
    wall_clock: Callable[[], float] = time.time,
    random_bits: Callable[[int], int] = secrets.randbits,
) -> str:
    """`device-` and a ULID (github.com/ulid/spec): 48 bits of milliseconds, 80 of chance."""
    number = (int(wall_clock() * 1000) << 80) | random_bits(80)
    return f"{device}-" + "".join(CROCKFORD[(number >> (5 * i)) & 31] for i in reversed(range(26)))
