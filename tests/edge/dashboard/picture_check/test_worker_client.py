"""The process that looks at pictures: it dies alone, is bounded, and ends when idle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.camera.image_files import is_cut_off
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.dashboard.picture_check.worker_client import WorkerClient, display_name, require_picture
from tests.support.brokers import wait_until
from tests.support.pictures import bare_seconds

FRAME = bare_seconds()[0]
JPEG = cv2.imencode(".jpg", FRAME)[1].tobytes()
ENDINGS = (".jpg", ".png", ".webp")


@pytest.fixture
def inspector() -> Iterator[WorkerClient]:
    looking = WorkerClient(Settings())
    yield looking
    looking.stop()


def test_a_process_that_dies_is_begun_anew(inspector: WorkerClient) -> None:
    assert len(inspector.check(JPEG, "a.jpg", False).record["faces"]) == 1
    process = inspector.process_id
    assert process is not None
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: inspector.process_id is None, "its death")
    assert len(inspector.check(JPEG, "a.jpg", True).record["faces"]) == 1
    assert inspector.process_id not in (None, process)


def test_it_ends_when_it_has_nothing_to_do() -> None:
    inspector = WorkerClient(Settings(), idle_s=0.2)
    assert inspector.process_id is None
    inspector.check(JPEG, "a.jpg", False)
    wait_until(lambda: inspector.process_id is None, "its end")
    inspector.check(JPEG, "a.jpg", False)
    inspector.stop()


def limits(process: int) -> dict[str, str]:
    """Soft limits by name, as the kernel has them."""
    lines = Path(f"/proc/{process}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:47].strip() for line in lines}


def test_it_can_open_nothing_and_has_an_end_to_its_memory(inspector: WorkerClient) -> None:
    for ending in ENDINGS:
        raw = cv2.imencode(ending, FRAME)[1].tobytes()
        assert len(inspector.check(raw, "a", True).record["faces"]) == 1
    process = inspector.process_id
    assert process is not None
    found = limits(process)
    assert (found["Max open files"], found["Max file size"]) == ("0", "0")
    assert "unlimited" not in (found["Max address space"], found["Max cpu time"])
    assert Path(f"/proc/{process}/oom_score_adj").read_text().strip() == "1000"


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_largest_picture_fits_the_memory_of_the_service(
    inspector: WorkerClient, ending: str
) -> None:
    small = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    large = cv2.imencode(ending, cv2.resize(small, (4600, 3450)))[1].tobytes()
    look = inspector.check(large, "large.jpg", True)
    assert (look.record["width"], look.record["height"]) == (4600, 3450)
    assert look.annotated is not None
    status = Path(f"/proc/{inspector.process_id}/status").read_text()
    peak_kb = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))
    assert peak_kb < 300_000


def test_one_that_hangs_is_killed_even_while_it_is_sent_to() -> None:
    inspector = WorkerClient(Settings(), timeout_s=20.0)
    inspector.check(JPEG, "a.jpg", False)
    process = inspector.process_id
    assert process is not None
    inspector._timeout_s = 0.5
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(UserError, match="took too long"):
        inspector.check(JPEG + bytes(4_000_000), "a.jpg", False)  # more than a pipe holds
    assert not Path(f"/proc/{process}").exists()
    inspector._timeout_s = 20.0
    assert len(inspector.check(JPEG, "a.jpg", False).record["faces"]) == 1
    inspector.stop()


class Evil:
    """Whoever unpickles it runs what it says."""

    def __reduce__(self) -> Any:
        return os.abort, ()


def answer_evil(pipe: Connection, _settings: Settings) -> None:
    pipe.recv_bytes()
    pipe.send(Evil())
    pipe.recv_bytes()


def test_what_it_answers_is_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.picture_check.worker_client._run_worker", answer_evil)
    inspector = WorkerClient(Settings())
    with pytest.raises(UserError, match="decoding it failed"):
        inspector.check(JPEG, "a.jpg", False)
    assert inspector.process_id is None
    inspector.stop()


def test_a_picture_of_too_many_pixels_is_not_decoded(inspector: WorkerClient) -> None:
    for ending in ENDINGS:
        bomb = cv2.imencode(ending, np.zeros((7000, 7000), np.uint8))[1].tobytes()
        with pytest.raises(UserError, match="more than 16 megapixels"):
            inspector.check(bomb, "bomb", True)
    process = inspector.process_id
    with open(f"/proc/{process}/status", encoding="ascii") as status:  # noqa: PTH123
        peak_kb = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    assert peak_kb < 300_000


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_picture_is_cut_off_wherever_it_is_cut(ending: str) -> None:
    raw = cv2.imencode(ending, FRAME)[1].tobytes()
    assert not is_cut_off(raw)
    assert not is_cut_off(raw + bytes(64))  # what some cameras add
    for part in range(1, 20):
        assert is_cut_off(raw[: len(raw) * part // 20])


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"])
)
@settings(deadline=None)
def test_whatever_comes_is_a_picture_or_an_error(rest: bytes, head: bytes) -> None:
    is_cut_off(head + rest)
    if not head and not rest.startswith((b"\xff\xd8\xff", b"BM", b"RIFF", b"\x89PNG")):
        with pytest.raises(UserError, match="supported formats"):
            require_picture(rest, "x")


def test_names_are_shown_without_folders_and_without_what_cannot_be_printed() -> None:
    assert display_name("C:\\me\\a b.jpg") == "a b.jpg"
    assert display_name("../../etc/\x00\x1bpasswd") == "??passwd"
    assert display_name("") == "the picture"
    assert len(display_name("x" * 500)) == 80
