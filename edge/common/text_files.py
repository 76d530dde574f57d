"""Text files that users write, in the encodings in which editors save them."""

from __future__ import annotations

import codecs
from pathlib import Path

#: The byte-order marks of other encodings. UTF-32's little-endian mark begins like UTF-16's.
_OTHER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
#: Control characters that no text contains in any encoding.
_BINARY = frozenset(range(32)) - frozenset(b"\t\n\f\r\x1a\x1b")
#: Of arguments and answers on a terminal, whose bytes Python keeps as surrogates.
NOT_UTF8 = "what was typed is not UTF-8 text: set the encoding of the terminal to UTF-8"
_REMEDY = "save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)"


class EncodingError(ValueError):
    """A file is not UTF-8 text; the message names its encoding and the remedy."""


def read_text(path: Path) -> str:
    """Return the text of the file `path`; raises OSError, or EncodingError as `decode_text`."""
    return decode_text(path.read_bytes())


def decode_text(raw: bytes) -> str:
    """Return UTF-8 text without its byte-order mark, and with `\\n` at the end of each line.

    Raises EncodingError if `raw` is in another encoding. The message contains nothing of the text,
    which may be a secret.
    """
    require_single_bytes(raw)
    try:
        text = without_mark(raw).decode()
    except UnicodeDecodeError as error:
        if _BINARY.intersection(raw):
            raise EncodingError("it is not UTF-8 text but binary data") from None
        line = raw.count(b"\n", 0, error.start) + 1
        raise EncodingError(
            f"it is not UTF-8 text but probably Windows-1252 (ANSI), as line {line} shows:"
            f" {_REMEDY}"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def require_single_bytes(raw: bytes) -> None:
    """Raise EncodingError if `raw` is text in UTF-16 or UTF-32, with or without its mark."""
    if name := _wide_encoding(raw):
        raise EncodingError(f"it is not UTF-8 text but {name}: {_REMEDY}")


def without_mark(raw: bytes) -> bytes:
    """Return `raw` without the byte-order mark of UTF-8, which Windows programs write."""
    return raw.removeprefix(codecs.BOM_UTF8)


def _wide_encoding(raw: bytes) -> str:
    for mark, name in _OTHER_MARKS:
        if raw.startswith(mark):
            return name
    # Latin letters take one byte of a unit; its other bytes are zero, and no text contains zeros.
    for size, name in ((4, "UTF-32"), (2, "UTF-16")):
        units = len(raw) // size
        zeros = [raw[at::size].count(0) for at in range(size)]
        if units and len(raw) % size == 0 and sorted(zeros)[1] > units / 2 and min(zeros) == 0:
            return name
    return ""
