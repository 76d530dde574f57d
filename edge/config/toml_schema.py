"""Strict reading of TOML files: unknown keys are rejected, and all mistakes are reported."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec

from edge.common.errors import UsageError, printable
from edge.common.text_files import EncodingError, read_text

#: How msgspec begins the error about a value that is none of those permitted, about a text that
#: does not match the regular expression of its type, and about a value that is no text.
INVALID_CHOICE = "Invalid enum value"
NO_MATCH, NO_TEXT = "Expected `str` matching regex", "Expected `str`, got"


def text_rule(pattern: str, sentence: str, max_length: int | None = None) -> msgspec.Meta:
    """Return what a text must match; the `sentence` says so in an error: `expected …`."""
    return msgspec.Meta(pattern=pattern, max_length=max_length, description=sentence)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a TOML file, or the whole file."""


#: Quotation marks that people take for straight ones, or into which programs change them.
_OTHER_QUOTES = re.compile("[\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u00b4`\uff02\uff07]")
_DECIMAL_COMMA = re.compile(r"=\s*[-+]?\d+,\d+\s*(#|$)")
_TIME = re.compile(r"=\s*\d{1,2}:\d\d")
#: Characters that are invisible or look like a space, as pages of the web and editors insert them:
#: no-break and other spaces, zero-width characters, separators of lines, byte-order marks, and the
#: end of a file of DOS.
_INVISIBLE = re.compile(
    "[\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\x1a]"
)
SectionT = TypeVar("SectionT", bound=Section)


def load_toml(
    path: Path, schema: type[SectionT], description: str
) -> tuple[SectionT, dict[str, Any]]:
    """Return the TOML file `path` as a `schema`, and as the plain values that it contains.

    `description` says in error messages what the file is. Raises UsageError with one line per
    mistake in the file.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise UsageError(f"cannot read {description} {path}: {error.strerror}") from None
    except EncodingError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        hint = _syntax_hint(text, str(error))
        raise UsageError(f"{path} is not valid TOML: {printable(str(error))}{hint}") from None
    mistakes = list(_unknown_keys(raw, schema, schema, "")) or list(_wrong_values(raw, schema, ""))
    if mistakes:
        raise UsageError("\n".join(f"{path}: {printable(mistake)}" for mistake in mistakes))
    try:
        return msgspec.convert(raw, schema), raw
    except msgspec.ValidationError as error:  # a required setting of the whole file is missing
        raise UsageError(f"{path}: {format_error(error)}") from None


def _syntax_hint(text: str, message: str) -> str:
    """Return the remedy if the line that `message` names has a mistake that editors cause."""
    place = re.search(r"at line (\d+)", message)
    line = text.split("\n")[int(place[1]) - 1] if place else ""
    if _OTHER_QUOTES.search(line):
        return "; use straight quotation marks"
    if found := _INVISIBLE.search(line):
        return (
            f"; delete or replace the character U+{ord(found[0]):04X} in this line, which is"
            " invisible or looks like a space"
        )
    if _DECIMAL_COMMA.search(line):
        return "; write numbers with a decimal point"
    if _TIME.search(line):
        return '; write times in quotation marks, such as "06:30"'
    if re.search(r'"[^"]*\\', line):
        return "; write paths with / or in single quotation marks, because \\ has a meaning in TOML"
    return ""


def format_error(error: msgspec.ValidationError) -> str:
    """Return the message of msgspec with the name of the setting first."""
    message, _, setting = str(error).partition(" - at `$.")
    return f"`{setting.rstrip('`')}`: {message[0].lower()}{message[1:]}" if setting else message


def _unknown_keys(raw: dict[str, Any], section: type, schema: type, prefix: str) -> Iterator[str]:
    """Return a message for each key of `raw` that `section` lacks."""
    fields = {field.name: field for field in msgspec.structs.fields(section)}
    for key, value in raw.items():
        if key not in fields:
            if getattr(section, "lists_known", False):
                hint = f"; the settings of this table are {', '.join(fields)}"
            else:
                nearest = _nearest(key, prefix, fields, schema)
                hint = f"; did you mean `{nearest}`?" if nearest else ""
            yield f"unknown setting `{prefix}{key}`{hint}"
        elif _is_section(fields[key].type) and isinstance(value, dict):
            yield from _unknown_keys(value, fields[key].type, schema, f"{prefix}{key}.")
        elif (repeated := _repeated_section(fields[key].type)) and isinstance(value, list):
            for number, table in enumerate(value):
                if isinstance(table, dict):
                    yield from _unknown_keys(table, repeated, schema, f"{prefix}{key}[{number}].")


def _nearest(key: str, prefix: str, siblings: Iterable[str], schema: type) -> str | None:
    """Return the full name of the known setting that is most similar to `key`, if any.

    A setting of exactly this name in another section comes first, then similar settings of the
    same section, then similar settings of other sections.
    """
    own_section = {name: f"{prefix}{name}" for name in siblings}
    all_sections = _full_names(schema, "")
    if key in all_sections:
        return all_sections[key]
    for names in (own_section, all_sections):
        if close := difflib.get_close_matches(key, names, n=1, cutoff=0.5):
            return names[close[0]]
    return None


def _full_names(section: type, prefix: str) -> dict[str, str]:
    """Return the full name of each setting by its last part.

    If several settings have the same last part, the outermost one is returned.
    """
    names: dict[str, str] = {}
    inner: dict[str, str] = {}
    for field in msgspec.structs.fields(section):
        names[field.name] = f"{prefix}{field.name}"
        if _is_section(field.type):
            inner = {**_full_names(field.type, f"{prefix}{field.name}."), **inner}
    return {**inner, **names}


def _wrong_values(raw: dict[str, Any], section: type, prefix: str) -> Iterator[str]:
    """Return a message for each invalid value; each value is converted alone, to find all.

    A section without such values is converted as a whole, because it may reject a value itself.
    """
    fields = {field.name: field for field in msgspec.structs.fields(section)}
    for key, value in raw.items():
        type_ = fields[key].type
        if _is_section(type_) and isinstance(value, dict):
            wrong = list(_wrong_values(value, type_, f"{prefix}{key}."))
            yield from wrong or _wrong_section(value, type_, f"{prefix}{key}")
            continue
        if repeated := _repeated_section(type_):
            yield from _wrong_tables(value, repeated, f"{prefix}{key}")
            continue
        try:
            msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            message, _, element = str(error).partition(" - at `$")
            name = f"{prefix}{key}{element.rstrip('`')}"
            if message.startswith(INVALID_CHOICE):
                message += _choices(type_)
            elif (rule := _rule(type_)) and message.startswith(NO_MATCH):
                message = f"expected {rule}"
            elif rule and message.startswith(NO_TEXT):
                message = f"expected a text in quotation marks: {rule}"
            yield f"`{name}`: {message[0].lower()}{message[1:]}"
        else:
            if found := _control_character(value):
                yield (
                    f"`{prefix}{key}`: text with the control character U+{ord(found):04X}, which"
                    " no setting can contain; write paths with / or in single quotation marks"
                )


def _wrong_tables(value: Any, section: type, name: str) -> Iterator[str]:
    """Return a message for each mistake in the tables `[[name]]`."""
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        yield f"`{name}`: write [[{name}]], with two brackets, above each of these tables"
        return
    for number, table in enumerate(value):
        place = f"{name}[{number}]"
        wrong = list(_wrong_values(table, section, f"{place}."))
        yield from wrong or _wrong_section(table, section, place)


def _rule(type_: Any) -> str:
    """Return the sentence of the `text_rule` in `type_`, empty if there is none."""
    parts = [type_]
    while parts:
        part = parts.pop(0)
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.pattern and meta.description:
                return meta.description
        parts += [each for each in get_args(part) if each is not Ellipsis]
    return ""


def _choices(type_: Any) -> str:
    """Return the values of a setting that permits only certain values."""
    parts = [type_]
    values: list[object] = []
    while parts:
        part = parts.pop(0)
        if get_origin(part) is Literal:
            values += get_args(part)
        else:
            parts += [each for each in get_args(part) if each is not Ellipsis]
    return f"; expected {', '.join(map(json.dumps, values))}" if values else ""


def _control_character(value: Any) -> str:
    """Return the first control character of the text or the texts in `value`, empty if none.

    A path of Windows such as "C:\\new" contains them unintentionally, and the system takes a null
    character neither in a path nor in a host name.
    """
    if isinstance(value, str):
        return next((char for char in value if unicodedata.category(char) == "Cc"), "")
    return next(filter(None, map(_control_character, value)), "") if isinstance(value, list) else ""


def _wrong_section(raw: dict[str, Any], section: type, name: str) -> Iterator[str]:
    """Return the message with which the section called `name` rejects `raw`, if it does."""
    try:
        msgspec.convert(raw, section)
    except msgspec.ValidationError as error:
        message = str(error)
        yield f"`{name}`: {message[0].lower()}{message[1:]}"


def _repeated_section(type_: Any) -> type | None:
    """Return the section whose tables a setting contains any number of times, if it does."""
    if get_origin(type_) is Annotated:  # with a limit on their number
        type_ = get_args(type_)[0]
    parts = get_args(type_) if get_origin(type_) is tuple else ()
    return parts[0] if len(parts) == 2 and parts[1] is Ellipsis and _is_section(parts[0]) else None


def _is_section(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, Section) and not get_args(type_)
