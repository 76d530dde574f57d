"""Setting values in the text of a TOML file, whose comments and order stay as they are."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

_HEADER = re.compile(r"\s*\[")
#: What follows a key: a value in one line, and a comment.
_VALUE = r"""("[^"\\]*"|'[^']*'|[^\s"'#]+)(?P<comment>\s*#.*)"""


def with_values(text: str, table: str, values: Mapping[str, str | int | bool]) -> str | None:
    """Return `text` with `values` in the table `table` (empty for the top level).

    Return None if the text is arranged in a way that this cannot edit, such as an inline table.
    Raises ValueError if `text` is not TOML.
    """
    wanted: dict[str, Any] = tomllib.loads(text)
    (wanted.setdefault(table, {}) if table else wanted).update(values)
    lines = text.splitlines()
    first = _first_line(lines, table)
    if first is None:
        lines += ["", f"[{table}]"]
        first = len(lines)
    start = first
    for key, value in values.items():
        end = next((n for n in range(first, len(lines)) if _HEADER.match(lines[n])), len(lines))
        own = re.compile(rf"\s*{re.escape(key)}\s*=")
        line = f"{key} = {json.dumps(value)}"
        place = next((n for n in range(first, end) if own.match(lines[n])), None)
        if place is None:
            lines.insert(start, line)
            start += 1
        else:
            comment = re.fullmatch(own.pattern + r"\s*" + _VALUE, lines[place])
            lines[place] = line + (comment["comment"] if comment else "")
    edited = "\n".join(lines) + "\n"
    try:
        return edited if tomllib.loads(edited) == wanted else None
    except tomllib.TOMLDecodeError:
        return None


def _first_line(lines: list[str], table: str) -> int | None:
    """Return the number of the first line in `table`; None if it has no header."""
    if not table:
        return 0
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?")
    return next((n + 1 for n, line in enumerate(lines) if header.fullmatch(line)), None)
