from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.camera.source import Frame
from edge.classification.classifier import Scores
from edge.common.errors import UserError
from edge.config.settings import CameraSettings, Settings, SnapshotSettings, change
from edge.daemon.camera_file import CameraFile
from edge.daemon.controls import Controls
from edge.daemon.preview_server import (
    MAX_REQUEST_BYTES,
    MAX_WAITING,
    MAX_WIDTH_PX,
    PersonInView,
    Preview,
    PreviewServer,
    PreviewSettings,
    encode_preview,
    make_preview,
    socket_path,
)
from edge.daemon.snapshot_store import SnapshotStore
from edge.tracking.track import Reading, Track

TIMEOUT_S = 20.0


def server_at(
    path: Path,
    look: Callable[[], Preview | None] = lambda: None,
    controls: Controls | None = None,
    snapshots: SnapshotSettings | None = None,
) -> PreviewServer:
    """A server that saves to `camera.toml` beside its socket; the smallest face is 0.1."""
    settings = change(Settings(), detector={"min_face": 0.1})
    camera_file = CameraFile(path.with_name("camera.toml"), None)
    return PreviewServer(
        path,
        look,
        PreviewSettings(controls or Controls(), lambda: settings, camera_file),
        SnapshotStore(snapshots or SnapshotSettings()),
    )


def ask(path: Path, request: bytes) -> bytes:
    answer = bytearray()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT_S)
        client.connect(str(path))
        client.sendall(request)
        while part := client.recv(65536):
            answer += part
    return bytes(answer)


def split_preview(answer: bytes) -> tuple[dict[str, Any], Any]:
    head, _, jpeg = answer.partition(b"\n")
    return json.loads(head), cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_many_clients_may_wait(tmp_path: Path) -> None:
    path = tmp_path / "preview.sock"
    server = server_at(path)
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(MAX_WAITING):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(TIMEOUT_S)
            client.connect(str(path))
            client.sendall(b"look\n")
            clients.append(client)
        with server:
            assert {client.recv(100) for client in clients} == {b'{"nothing": true}\n'}


def test_view_is_sent_with_its_people(tmp_path: Path) -> None:
    path = tmp_path / "preview.sock"
    frame = Frame(np.full((48, 64, 3), 120, np.uint8), 7.0, 1)
    people = [PersonInView(3, (0.1, 0.2, 0.3, 0.4), "no_mask", 0.9321)]
    with server_at(path, lambda: Preview(frame, people, {"detect": (1.0, 2.0)})):
        body, picture = split_preview(ask(path, b"look\n"))
    assert (body["width"], body["height"], body["at_s"]) == (64, 48, 7.0)
    assert body["people"] == [
        {"number": 3, "box": [0.1, 0.2, 0.3, 0.4], "label": "no_mask", "score": 0.932}
    ]
    assert picture.shape == (48, 64, 3)


def test_person_is_unsure_who_was_classified_without_evidence() -> None:
    frame = Frame(np.zeros((48, 64, 3), np.uint8), 7.0, 1)
    box = (6.4, 9.6, 6.4, 9.6)
    scores = Scores({"mask": 0.04, "no_mask": 0.96})
    evidence = (Reading(box, scores, 6.9),)
    tracks = [
        Track(1, box, 6.0, 7.0, (), 10),
        Track(2, box, 6.0, 7.0, (), 10, classified_s=6.9),
        Track(3, box, 6.0, 7.0, evidence, 10, classified_s=6.9),
    ]
    people = make_preview(frame, tracks, {}).people
    assert [(each.label, each.score) for each in people] == [
        ("", None),
        ("unsure", None),
        ("no_mask", 0.96),
    ]


def test_wide_frame_is_scaled_down() -> None:
    frame = Frame(np.zeros((1080, 1920, 3), np.uint8), 7.0, 1)
    body, picture = split_preview(encode_preview(Preview(frame, [], {})))
    assert picture.shape == (540, MAX_WIDTH_PX, 3)
    assert (body["width"], body["height"]) == (1920, 1080)


def test_drawing_is_saved_before_the_answer(tmp_path: Path) -> None:
    path, controls = tmp_path / "preview.sock", Controls()
    with server_at(path, controls=controls):
        answer = json.loads(ask(path, b"use\n"))
        assert (answer["drawing"]["min_face"], answer["reloading"]) == (0.1, False)
        areas = [[0.1, 0.1, 0.001 * number + 0.001, 0.1] for number in range(400)]
        drawing = {
            "zone": [], "excluded": areas, "min_face": 0.2, "rotate": 270, "mirror": True,
        }  # fmt: skip
        answer = json.loads(ask(path, b"save " + json.dumps(drawing).encode() + b"\n"))
        assert answer["saved"] == drawing
        assert answer["drawing"]["min_face"] == 0.1  # until the reload
        assert answer["reloading"]
        assert controls.reload_requested.is_set()


@pytest.mark.parametrize(
    "request_", [b"save\n", b"save {}\n", b"save \xff\n", b'save {"zone": [[0.1, 0.1]]}\n']
)
def test_invalid_drawing_is_answered_with_the_problem(tmp_path: Path, request_: bytes) -> None:
    path, controls = tmp_path / "preview.sock", Controls()
    with server_at(path, controls=controls):
        answer = json.loads(ask(path, request_))
    assert answer["saved"] is None
    assert answer["problem"]
    assert not controls.reload_requested.is_set()
    assert not (tmp_path / "camera.toml").exists()


def test_stored_snapshots_are_sent(tmp_path: Path) -> None:
    folder, path = tmp_path / "snapshots", tmp_path / "preview.sock"
    folder.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    for number, name in enumerate(("door1-1.jpg", "door1-2.jpg", "a b.jpg", "notes.txt"), 1):
        (folder / name).write_bytes(b"picture " + name.encode())
        os.utime(folder / name, (number, number))
    with server_at(path, snapshots=SnapshotSettings(enabled=True, path=str(folder))):
        answer = json.loads(ask(path, b"snapshots\n"))
        assert answer["snapshots"] == [
            {"name": "door1-2", "written_s": 2.0},
            {"name": "door1-1", "written_s": 1.0},
        ]
        assert ask(path, b"snapshot door1-1\n") == b"{}\npicture door1-1.jpg"
        (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
        os.mkfifo(folder / "fifo.jpg")
        for name in (b"link", b"fifo"):
            assert "cannot read the snapshot" in ask(path, b"snapshot " + name + b"\n").decode()
        for name in (b"door1-3", b"../secret", b"a b", b"", b"\xff"):
            problem = json.loads(ask(path, b"snapshot " + name + b"\n"))["problem"]
            assert problem == "this snapshot does not exist, or has expired", name
    with server_at(path, snapshots=SnapshotSettings(enabled=False, path=str(folder))):
        for request in (b"snapshots\n", b"snapshot door1-1\n"):
            assert "snapshots are off" in json.loads(ask(path, request))["problem"]


def test_endless_request_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "preview.sock"
    with server_at(path):
        with contextlib.suppress(OSError):
            assert ask(path, b"save " + b" " * (2 * MAX_REQUEST_BYTES)) == b""
        assert ask(path, b"look\n") != b""


def test_unknown_request_gets_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "preview.sock"
    with server_at(path):
        assert ask(path, b"dance\n") == b""
        assert ask(path, b"look\n") != b""


def test_stale_socket_is_replaced_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "preview.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with server_at(path):
        assert path.stat().st_mode & 0o777 == 0o660
        assert ask(path, b"look\n") != b""
    assert not path.exists()


def test_settings_in_use_include_a_refusal(tmp_path: Path) -> None:
    controls = Controls()
    controls.begin_reload()
    settings = change(Settings(), detector={"min_face": 0.2})
    page = PreviewSettings(controls, lambda: settings, CameraFile(tmp_path / "camera.toml", None))
    assert page.in_use().reloading
    controls.end_reload("no such camera")
    in_use = page.in_use()
    assert (in_use.reloading, in_use.refused) == (False, "no such camera")
    assert in_use.drawing.min_face == 0.2


def test_too_long_path_is_a_user_error() -> None:
    with pytest.raises(UserError, match="longer than the system allows"):
        socket_path(CameraSettings(preview_socket="/" + "x" * 200))
