"""A socket for `http.client` on which no operation lasts beyond a common deadline."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: Bytes that are read from the socket at once.
BUFFER_BYTES = 1 << 16


class TimedSocket:
    """Sends and receives until `deadline_s`; later calls raise TimeoutError.

    The time-out of a socket alone would let a server that sends one byte now and then continue for
    ever. The methods are those of a socket that `http.client` uses.
    """

    def __init__(
        self,
        connection: socket.socket,
        deadline_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take ownership of `connection`; `deadline_s` is on `clock`."""
        self.deadline_s = deadline_s
        self._connection = connection
        self._clock = clock

    def sendall(self, data: ReadableBuffer) -> None:
        """Send all of `data`."""
        self.limit()
        self._connection.sendall(data)

    def makefile(self, mode: str) -> IO[bytes]:
        """Return a buffered reader; the connection stays open until it is closed, too."""
        assert mode == "rb"
        raw = self._connection.makefile("rb", buffering=0)
        return io.BufferedReader(_TimedReader(raw, self.limit), BUFFER_BYTES)

    def close(self) -> None:
        """Close the connection, or let the open reader close it."""
        self._connection.close()

    def limit(self) -> None:
        """Give the next operation the time that is left; raises TimeoutError if none is left."""
        left_s = self.deadline_s - self._clock()
        if left_s <= 0.0:
            raise TimeoutError("timed out")
        self._connection.settimeout(left_s)


class _TimedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, limit: Callable[[], None]) -> None:
        self._raw = raw
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._limit()
        return self._raw.readinto(buffer)

    def readall(self) -> bytes:
        # `http.client` reads to the end, however much that is, for a chunk of negative size.
        raise OSError("the answer has a part of unknown size")

    def close(self) -> None:
        self._raw.close()
        super().close()
