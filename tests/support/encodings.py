"""Text files as Windows programs save them."""

from __future__ import annotations

import codecs
from pathlib import Path


def save_with_mark(path: Path, encoding: str = "utf-8") -> Path:
    """Save a UTF-8 file again as Notepad does: with a byte-order mark and CRLF; return its path."""
    text = path.read_text(encoding="utf-8").replace("\n", "\r\n")
    mark = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE}[encoding]
    path.write_bytes(mark + text.encode(encoding))
    return path
