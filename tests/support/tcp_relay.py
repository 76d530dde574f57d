"""A TCP relay that can be deaf in one direction and cut: what a failing network does."""

from __future__ import annotations

import contextlib
import socket
import threading

from edge.mqtt.broker import Broker


class Relay:
    """Passes bytes on to a broker; `mute` drops what the broker says, `cut` ends all.

    A connection on which `refuses` is sent is ended at once, the first `times` times.
    Of what the broker says, packets of the type `withholds` (as a first byte) are dropped.
    When the broker ends a connection, it says `last_words` before.
    """

    def __init__(
        self,
        target: Broker,
        refuses: bytes | None = None,
        times: int = 1000,
        withholds: int | None = None,
        last_words: bytes = b"",
    ) -> None:
        self._last_words = last_words
        self._withholds = withholds
        self._refuses = refuses
        self._times = times
        self._target = (target.host, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.broker = Broker("127.0.0.1", self._listener.getsockname()[1])
        self._muted = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self, refuses: bytes, times: int) -> None:
        """From now on end connections on which that is sent, the next `times` times."""
        self._refuses, self._times = refuses, times

    def mute(self) -> None:
        """From now on nothing that the broker says arrives, on any open connection."""
        self._muted.set()

    def cut(self) -> None:
        """End every connection; new ones are passed on again."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        self._muted.clear()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()  # nobody is there just now
                continue
            self._open += [near, far]
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(far, near), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        from_broker = False
        with contextlib.suppress(OSError):
            from_broker = source.getpeername() == self._target
            started = b""
            while data := source.recv(65536):
                if self._refuses and self._refuses in data and self._times:
                    self._times -= 1
                    source.shutdown(socket.SHUT_RDWR)
                    break
                if from_broker and self._withholds is not None:
                    packets, started = _packets(started + data)
                    data = b"".join(p for p in packets if p[0] & 0xF0 != self._withholds)
                if not (from_broker and self._muted.is_set()):
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            if from_broker and self._last_words:
                sink.sendall(self._last_words)
            sink.shutdown(socket.SHUT_RDWR)


def _packets(stream: bytes) -> tuple[list[bytes], bytes]:
    """The whole MQTT packets at the beginning of `stream`, and what is left of it."""
    packets = []
    while len(stream) > 1:
        length, size = 0, 1
        while size < len(stream):
            length |= (stream[size] & 127) << 7 * (size - 1)
            size += 1
            if stream[size - 1] < 128:
                break
        else:
            break
        if len(stream) < size + length:
            break
        packets.append(stream[: size + length])
        stream = stream[size + length :]
    return packets, stream
