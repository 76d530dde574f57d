"""The process that looks at pictures: it dies alone, is bounded, and ends when idle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import Settings
from edge.errors import UserError
from edge.pictures import is_cut_off
from edge.web.inspector import Inspector, require_picture, shown_name
from tests.brokers import wait_until
from tests.pictures import bare_seconds

FRAME = bare_seconds()[0]
JPEG = cv2.imencode(".jpg", FRAME)[1].tobytes()
ENDINGS = (".jpg", ".png", ".webp")


@pytest.fixture
def inspector() -> Iterator[Inspector]:
    looking = Inspector(Settings())
    yield looking
    looking.stop()


def test_a_process_that_dies_is_begun_anew(inspector: Inspector) -> None:
    assert len(inspector.look(JPEG, "a.jpg", False).record["faces"]) == 1
    process = inspector.process_id
    assert process is not None
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: inspector.process_id is None, "its death")
    assert len(inspector.look(JPEG, "a.jpg", True).record["faces"]) == 1
    assert inspector.process_id not in (None, process)


def test_it_ends_when_it_has_nothing_to_do() -> None:
    inspector = Inspector(Settings(), idle_s=0.2)
    assert inspector.process_id is None
    inspector.look(JPEG, "a.jpg", False)
    wait_until(lambda: inspector.process_id is None, "its end")
    inspector.look(JPEG, "a.jpg", False)
    inspector.stop()


def test_a_picture_of_too_many_pixels_is_not_decoded(inspector: Inspector) -> None:
    for ending in ENDINGS:
        bomb = cv2.imencode(ending, np.zeros((7000, 7000), np.uint8))[1].tobytes()
        with pytest.raises(UserError, match="more than 40 megapixels"):
            inspector.look(bomb, "bomb", True)
    process = inspector.process_id
    with open(f"/proc/{process}/status", encoding="ascii") as status:  # noqa: PTH123
        peak_kb = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    assert peak_kb < 400_000


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
        with pytest.raises(UserError, match="can be checked"):
            require_picture(rest, "x")


def test_names_are_shown_without_folders_and_without_what_cannot_be_printed() -> None:
    assert shown_name("C:\\me\\a b.jpg") == "a b.jpg"
    assert shown_name("../../etc/\x00\x1bpasswd") == "??passwd"
    assert shown_name("") == "the picture"
    assert len(shown_name("x" * 500)) == 80
