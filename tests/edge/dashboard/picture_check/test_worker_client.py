"""The worker process: its crashes, its limits, and its end when it is idle."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.camera.pictures.image_files import is_cut_off
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.dashboard.picture_check.worker_client import WorkerClient, display_name, require_picture
from tests.support.footage.pictures import frames_without_mask
from tests.support.footage.turned_pictures import HEIC
from tests.support.waiting import wait_until

FRAME = frames_without_mask()[0]
JPEG = cv2.imencode(".jpg", FRAME)[1].tobytes()
ENDINGS = (".jpg", ".png", ".webp")


@pytest.fixture
def client() -> Iterator[WorkerClient]:
    client = WorkerClient(Settings())
    yield client
    client.stop()


def test_crashed_process_is_restarted(client: WorkerClient) -> None:
    assert len(client.check(JPEG, "a.jpg", False).record["faces"]) == 1
    process = client.process_id
    assert process is not None
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: client.process_id is None, "the end of the process")
    assert len(client.check(JPEG, "a.jpg", True).record["faces"]) == 1
    assert client.process_id not in (None, process)


@pytest.mark.slow
def test_idle_process_ends() -> None:
    client = WorkerClient(Settings(), idle_s=0.2)
    assert client.process_id is None
    client.check(JPEG, "a.jpg", False)
    wait_until(lambda: client.process_id is None, "the end of the process")
    client.check(JPEG, "a.jpg", False)
    client.stop()


def limits(process: int) -> dict[str, str]:
    """Return the soft limits of a process by name, as the kernel reports them."""
    lines = Path(f"/proc/{process}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:47].strip() for line in lines}


def test_process_has_limited_rights_and_memory(client: WorkerClient) -> None:
    for ending in ENDINGS:
        raw = cv2.imencode(ending, FRAME)[1].tobytes()
        assert len(client.check(raw, "a", True).record["faces"]) == 1
    process = client.process_id
    assert process is not None
    found = limits(process)
    assert (found["Max open files"], found["Max file size"]) == ("0", "0")
    assert "unlimited" not in (found["Max address space"], found["Max cpu time"])
    assert Path(f"/proc/{process}/oom_score_adj").read_text().strip() == "1000"


def lossless_webp(picture: Pixels) -> bytes:
    """Return a WebP file, encoded with little effort: OpenCV's encoder takes seven seconds."""
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "webp", lossless=True, quality=0, method=0)
    return packed.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_largest_picture_fits_into_the_memory_limit(client: WorkerClient, ending: str) -> None:
    small = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    picture = cv2.resize(small, (4600, 3450))
    large = lossless_webp(picture) if ending == ".webp" else cv2.imencode(ending, picture)[1]
    result = client.check(bytes(large), "large.jpg", True)
    assert (result.record["width"], result.record["height"]) == (4600, 3450)
    assert result.annotated is not None
    status = Path(f"/proc/{client.process_id}/status").read_text()
    peak_kb = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))
    assert peak_kb < 300_000


@pytest.mark.slow
def test_hanging_process_is_killed_during_a_transfer() -> None:
    client = WorkerClient(Settings(), timeout_s=20.0)
    client.check(JPEG, "a.jpg", False)
    process = client.process_id
    assert process is not None
    client._timeout_s = 0.5
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(UserError, match="took too long"):
        client.check(JPEG + bytes(4_000_000), "a.jpg", False)  # more data than fits into a pipe
    assert not Path(f"/proc/{process}").exists()
    client._timeout_s = 20.0
    assert len(client.check(JPEG, "a.jpg", False).record["faces"]) == 1
    client.stop()


class MaliciousPickle:
    """An object that aborts the process that unpickles it."""

    def __reduce__(self) -> Any:
        return os.abort, ()


def answer_with_pickle(pipe: Connection, _settings: Settings) -> None:
    pipe.recv_bytes()
    pipe.send(MaliciousPickle())
    pipe.recv_bytes()


def test_answers_are_never_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "edge.dashboard.picture_check.worker_client._run_worker", answer_with_pickle
    )
    client = WorkerClient(Settings())
    with pytest.raises(UserError, match="decoding it failed"):
        client.check(JPEG, "a.jpg", False)
    assert client.process_id is None
    client.stop()


@pytest.mark.slow
def test_too_large_picture_is_not_decoded(client: WorkerClient) -> None:
    for ending in ENDINGS:
        bomb = cv2.imencode(ending, np.zeros((7000, 7000), np.uint8))[1].tobytes()
        with pytest.raises(UserError, match="more than 16 megapixels"):
            client.check(bomb, "bomb", True)
    process = client.process_id
    with open(f"/proc/{process}/status", encoding="ascii") as status:  # noqa: PTH123
        peak_kb = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    assert peak_kb < 300_000


@pytest.mark.parametrize("ending", ENDINGS)
def test_cut_off_picture_is_detected_at_every_length(ending: str) -> None:
    raw = cv2.imencode(ending, FRAME)[1].tobytes()
    assert not is_cut_off(raw)
    assert not is_cut_off(raw + bytes(64))  # padding, as some cameras append it
    for part in range(1, 20):
        assert is_cut_off(raw[: len(raw) * part // 20])


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"])
)
def test_other_data_is_refused(rest: bytes, head: bytes) -> None:
    is_cut_off(head + rest)
    if not head and not rest.startswith((b"\xff\xd8\xff", b"BM", b"RIFF", b"\x89PNG")):
        with pytest.raises(UserError, match="supported formats"):
            require_picture(rest, "x")


def test_pictures_of_telephones_are_checked_inside_the_limits(client: WorkerClient) -> None:
    """The libraries are loaded before the worker gives up the right to open files."""
    packed = io.BytesIO()
    Image.fromarray(FRAME[:, :, ::-1]).save(packed, "avif")
    assert len(client.check(packed.getvalue(), "a.avif", True).record["faces"]) == 1
    if importlib.util.find_spec("pi_heif") is None:
        with pytest.raises(UserError, match=r"a\.heic is in the format HEIC.* pip install"):
            client.check(HEIC, "a.heic", True)
    else:
        record = client.check(HEIC, "a.heic", True).record
        assert (record["width"], record["height"]) == (46, 62)


def test_display_name_has_no_folders_or_control_characters() -> None:
    assert display_name("C:\\me\\a b.jpg") == "a b.jpg"
    assert display_name("../../etc/\x00\x1bpasswd") == "??passwd"
    assert display_name("") == "the picture"
    assert len(display_name("x" * 500)) == 80
