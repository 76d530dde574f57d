"""Reading the body of a request up to a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.types import Message

from edge.dashboard.pages.request_body import BodyTooLargeError, read_body

MAX_BYTES = 10


class Upload:
    """A request whose body arrives in parts; counts the parts that were read."""

    def __init__(self, parts: Sequence[bytes], length: str = "") -> None:
        self._parts = list(parts)
        self.read_count = 0
        headers = [(b"content-length", length.encode())] if length else []
        self.request = Request({"type": "http", "headers": headers}, self._receive)

    async def _receive(self) -> Message:
        part = self._parts[self.read_count]
        self.read_count += 1
        more = self.read_count < len(self._parts)
        return {"type": "http.request", "body": part, "more_body": more}

    def read(self) -> bytes:
        return asyncio.run(read_body(self.request, MAX_BYTES))


def test_parts_are_joined() -> None:
    assert Upload([b"12345", b"", b"67890"], "10").read() == b"1234567890"


def test_reading_stops_at_the_limit() -> None:
    upload = Upload([b"123456", b"78901", b"never read"])
    with pytest.raises(BodyTooLargeError):
        upload.read()
    assert upload.read_count == 2


@pytest.mark.parametrize("length", ["11", "9" * 5000])
def test_announced_length_is_checked_first(length: str) -> None:
    upload = Upload([b"x"], length)
    with pytest.raises(BodyTooLargeError):
        upload.read()
    assert upload.read_count == 0


def test_invalid_length_is_ignored() -> None:
    assert Upload([b"x"], "many").read() == b"x"
