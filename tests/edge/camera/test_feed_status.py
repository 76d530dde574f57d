from __future__ import annotations

import logging

import pytest

from edge.camera.feed_state import Opening, Reading
from edge.camera.feed_status import StatusKeeper, describe_failure, describe_silence
from edge.camera.source import CameraStatus, SourceError

NAME = "rtsp://cam/1"


def test_status_before_the_first_frame() -> None:
    assert StatusKeeper().snapshot(5.0) == CameraStatus("starting", "", None, 0, 0)


def test_frame_age_is_never_negative() -> None:
    status = StatusKeeper()
    status.good_at_s = 10.0
    assert status.snapshot(12.5).frame_age_s == 2.5
    assert status.snapshot(9.0).frame_age_s == 0.0


def test_only_changes_of_the_state_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    status = StatusKeeper()
    status.update("ok", "", NAME)
    for reason in ("the cable is loose", "it is off"):
        status.update("stalled", reason, NAME)
    status.update("reopening", "it is off", NAME)
    status.update("ok", "", NAME)
    assert caplog.messages == [
        "the cable is loose",
        "reopening rtsp://cam/1",
        "rtsp://cam/1 delivers frames again",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO"]


def test_restart_keeps_the_counters() -> None:
    status = StatusKeeper()
    status.update("stalled", "it is off", NAME)
    status.reopened, status.dropped = 3, 7
    status.restart()
    assert status.snapshot(0.0) == CameraStatus("starting", "", None, 3, 7)


@pytest.mark.parametrize(
    ("error", "description"),
    [
        (None, "rtsp://cam/1 has ended"),
        (SourceError("the cable is loose"), "the cable is loose"),
        (ValueError("bad\n  packet"), "rtsp://cam/1 failed: ValueError: bad packet"),
    ],
)
def test_failure_is_described_in_one_line(error: Exception | None, description: str) -> None:
    assert describe_failure(NAME, error) == description


@pytest.mark.parametrize(
    ("state", "description"),
    [
        (Opening(0.0), "rtsp://cam/1 could not be opened within 5 s"),
        (Reading(True, 0.0), "rtsp://cam/1 has delivered nothing for 5 s"),
        (
            Reading(True, 0.0, garbage=True),
            "rtsp://cam/1 has delivered nothing but garbage for 5 s",
        ),
    ],
)
def test_silence_is_described_by_state(state: Opening | Reading, description: str) -> None:
    assert describe_silence(NAME, 5.0, state) == description
