"""The order of releases by their versions, such as `0.2.0+1f3ab2c4`.

What follows the plus sign tells builds of one version apart and has no order.
"""

from __future__ import annotations

import re

from edge.common.errors import UserError

_VERSION = re.compile(r"(?P<numbers>\d+(\.\d+)*)((?P<stage>a|b|rc)(?P<count>\d+))?(\+.*)?")
_STAGES = {"a": 0, "b": 1, "rc": 2, None: 3}


def require_not_older(version: str, current: str) -> None:
    """Raise UserError if `version` is older than `current`, or if the two cannot be compared."""
    key, current_key = _key(version), _key(current)
    if key is None or current_key is None:
        raise UserError(
            f"it is unknown whether {version} is older than {current}, which runs:"
            " add --allow-downgrade to install it anyway"
        )
    if key < current_key:
        raise UserError(
            f"{version} is older than {current}, which runs:"
            " add --allow-downgrade to install it anyway"
        )


def _key(version: str) -> tuple[tuple[int, ...], int, int] | None:
    """Return what versions are sorted by; None if `version` is not in the format of versions."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    numbers = [int(number) for number in match["numbers"].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:  # 1.0 is the same version as 1
        numbers.pop()
    return tuple(numbers), _STAGES[match["stage"]], int(match["count"] or 0)
