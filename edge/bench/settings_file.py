"""Writes settings as a TOML file for a process that the bench starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from edge.config.settings import Settings


def as_toml(settings: Settings) -> str:
    """Return the text of a file that `load_settings` reads back as `settings`."""
    raw = msgspec.to_builtins(settings)
    return "\n".join([*_values(raw), *_sections(raw)]) + "\n"


def _sections(raw: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, section in raw.items():
        if isinstance(section, dict):
            yield f"[{prefix}{name}]"
            yield from _values(section)
            yield from _sections(section, f"{prefix}{name}.")


def _values(section: dict[str, Any]) -> Iterator[str]:
    for key, value in section.items():
        if value is not None and not isinstance(value, dict):
            # A JSON string, number, boolean, or list of them is valid TOML.
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
