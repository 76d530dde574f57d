"""TOML files in which nothing is let pass: unknown keys are refused, and all mistakes told."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from edge.common.errors import UsageError


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of such a file, or all of it."""


Kind = TypeVar("Kind", bound=Section)


def settings_in(path: Path, kind: type[Kind], what: str) -> tuple[Kind, dict[str, Any]]:
    """The TOML file `path`, which holds `what`, as a `kind`, and as it is written.

    Raises UsageError with one line per mistake found in the file.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {what} {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # TOML's and Unicode's errors among them
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    mistakes = list(_unknown_keys(raw, kind, kind, "")) or list(_wrong_values(raw, kind, kind, ""))
    if mistakes:
        raise UsageError("\n".join(f"{path}: {mistake}" for mistake in mistakes))
    try:
        return msgspec.convert(raw, kind), raw
    except msgspec.ValidationError as error:  # what is missing
        raise UsageError(f"{path}: {readable(error)}") from None


def readable(error: msgspec.ValidationError) -> str:
    """What msgspec found wrong, with the setting first."""
    message, _, where = str(error).partition(" - at `$.")
    return f"`{where.rstrip('`')}`: {message[0].lower()}{message[1:]}" if where else message


def _unknown_keys(raw: dict[str, Any], section: type, whole: type, prefix: str) -> Iterator[str]:
    fields = {field.name: field for field in msgspec.structs.fields(section)}
    for key, value in raw.items():
        if key not in fields:
            near = _nearest(key, prefix, fields, whole)
            hint = f"; did you mean `{near}`?" if near else ""
            yield f"unknown setting `{prefix}{key}`{hint}"
        elif _is_section(fields[key].type) and isinstance(value, dict):
            yield from _unknown_keys(value, fields[key].type, whole, f"{prefix}{key}.")


def _nearest(key: str, prefix: str, siblings: Iterable[str], whole: type) -> str | None:
    """The known setting most like `key`, by its full name; those of its own section first,
    unless the very name stands elsewhere."""
    here = {name: f"{prefix}{name}" for name in siblings}
    everywhere = _names_in(whole, "")
    if key in everywhere:
        return everywhere[key]
    for names in (here, everywhere):
        if close := difflib.get_close_matches(key, names, n=1, cutoff=0.5):
            return names[close[0]]
    return None


def _names_in(section: type, prefix: str) -> dict[str, str]:
    """The full name of each setting, by its last part; the outermost of the same name."""
    names: dict[str, str] = {}
    inner: dict[str, str] = {}
    for field in msgspec.structs.fields(section):
        names[field.name] = f"{prefix}{field.name}"
        if _is_section(field.type):
            inner = {**_names_in(field.type, f"{prefix}{field.name}."), **inner}
    return {**inner, **names}


def _wrong_values(raw: dict[str, Any], section: type, whole: type, prefix: str) -> Iterator[str]:
    """Each setting is converted by itself, so that all mistakes are told at once."""
    fields = {field.name: field for field in msgspec.structs.fields(section)}
    for key, value in raw.items():
        kind = fields[key].type
        if _is_section(kind) and isinstance(value, dict):
            yield from _wrong_values(value, kind, whole, f"{prefix}{key}.")
            continue
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            message, _, where = str(error).partition(" - at `$")
            name = f"{prefix}{key}{where.rstrip('`')}"
            yield f"`{name}`: {message[0].lower()}{message[1:]}"


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section) and not get_args(kind)
