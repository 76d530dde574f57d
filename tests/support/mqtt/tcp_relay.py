"""A TCP relay that simulates a failing network in front of a server."""

from __future__ import annotations

import contextlib
import socket
import threading

from edge.mqtt.broker import Broker


class Relay:
    """Forwards connections to a broker (or another server) and can disturb them."""

    def __init__(
        self,
        target: Broker,
        closes_on: bytes | None = None,
        times: int = 1000,
        drops_type: int | None = None,
        sends_before_close: bytes = b"",
        records: bool = False,
    ) -> None:
        """Forward connections to `target`; `broker` is the address of the relay itself.

        When the client sends `closes_on`, the relay closes the connection; it does this at most
        `times` times. MQTT packets from the broker whose first byte has the type `drops_type` (the
        upper four bits) are dropped. When the broker closes a connection, `sends_before_close` is
        sent to the client first. With `records`, all bytes in both directions are kept in
        `recorded`.
        """
        self._records = records
        self.recorded = bytearray()
        self._sends_before_close = sends_before_close
        self._drops_type = drops_type
        self._closes_on = closes_on
        self._times = times
        self._target = (target.host, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.broker = Broker("127.0.0.1", self._listener.getsockname()[1])
        self._dropping = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close_on(self, pattern: bytes, times: int) -> None:
        """Close the connection the next `times` times that a client sends `pattern`."""
        self._closes_on, self._times = pattern, times

    def drop_answers(self) -> None:
        """Drop everything that the broker sends from now on, until `cut_connections` is called."""
        self._dropping.set()

    def cut_connections(self) -> None:
        """Close every open connection; new connections are forwarded normally."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        self._dropping.clear()

    def close(self) -> None:
        self._listener.close()
        self.cut_connections()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()  # the broker is not running now
                continue
            self._open += [client, server]
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        from_broker = False
        with contextlib.suppress(OSError):
            from_broker = source.getpeername() == self._target
            incomplete = b""
            while data := source.recv(65536):
                if self._closes_on and self._closes_on in data and self._times:
                    self._times -= 1
                    source.shutdown(socket.SHUT_RDWR)
                    break
                if from_broker and self._drops_type is not None:
                    packets, incomplete = _packets(incomplete + data)
                    data = b"".join(p for p in packets if p[0] & 0xF0 != self._drops_type)
                if self._records:
                    self.recorded += data
                if not (from_broker and self._dropping.is_set()):
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            if from_broker and self._sends_before_close:
                sink.sendall(self._sends_before_close)
            sink.shutdown(socket.SHUT_RDWR)


def _packets(stream: bytes) -> tuple[list[bytes], bytes]:
    """Return the complete MQTT packets at the start of `stream`, and the remaining bytes."""
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
