"""The socket of the Camera page."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from edge.daemon.preview_server import MAX_WAITING, PreviewServer, SettingsInUse

USED = SettingsInUse(reloading=False, refused="", zone=(), min_face=0.1)


def test_many_pages_may_look_at_once(tmp_path: Path) -> None:
    path = tmp_path / "eye"
    server = PreviewServer(path, lambda: None, lambda: USED, lambda: None)
    with contextlib.ExitStack() as stack:
        visitors = []
        for _ in range(MAX_WAITING):
            visitor = stack.enter_context(socket.socket(socket.AF_UNIX))
            visitor.settimeout(20)
            visitor.connect(str(path))
            visitor.sendall(b"look\n")
            visitors.append(visitor)
        with server:
            assert {visitor.recv(100) for visitor in visitors} == {b'{"nothing": true}\n'}
