"""Reading the body of a request into memory, up to a limit."""

from __future__ import annotations

from starlette.requests import Request


class BodyTooLargeError(Exception):
    """The body of a request is larger than the limit."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body; raises BodyTooLargeError as soon as it exceeds `max_bytes`.

    A `Content-Length` above the limit is refused before anything is read.
    """
    announced = request.headers.get("content-length", "")
    # Only the first digits are parsed: Python refuses to convert very long numbers.
    if announced.isdigit() and int(announced[:20]) > max_bytes:
        raise BodyTooLargeError
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise BodyTooLargeError
    return bytes(body)
