"""Text as editors save it: UTF-8 with a mark and CRLF, and encodings that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.text_files import EncodingError, decode_text, read_text, without_mark

TEXT = "pässwörd #1\nsecond\n"


def test_mark_and_line_ends_of_windows_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for encoding in ("utf-8", "utf-8-sig"):
        for end in ("\n", "\r\n", "\r"):
            path.write_bytes(TEXT.replace("\n", end).encode(encoding))
            assert read_text(path) == TEXT
    assert without_mark(b"\xef\xbb\xbfa") == without_mark(b"a") == b"a"


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("text", [TEXT, "a", "device = 'door1'\r\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_encoding_is_named(encoding: str, text: str, order: str, marked: bool) -> None:
    raw = (("\ufeff" if marked else "") + text).encode(f"{encoding}-{order}")
    with pytest.raises(EncodingError, match=f"not UTF-8 text but {encoding.upper()}: save it as"):
        decode_text(raw)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac-roman"])
def test_old_encoding_is_named_with_its_line_but_without_the_text(encoding: str) -> None:
    with pytest.raises(EncodingError, match=r"probably Windows-1252 .* as line 2 shows") as error:
        decode_text(f"# comment\r\n{TEXT}".encode(encoding))
    assert "rd #1" not in str(error.value)
    assert "in Notepad: Save as, Encoding: UTF-8" in str(error.value)


def test_binary_data_is_named() -> None:
    with pytest.raises(EncodingError, match="binary data"):
        decode_text(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")


@given(st.text())
def test_text_is_returned_unchanged_except_for_mark_and_line_ends(text: str) -> None:
    try:
        found = decode_text(text.encode())
    except EncodingError:
        assert "\0" in text  # looks like UTF-16
        return
    assert found == text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
