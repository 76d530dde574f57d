"""Thresholds above which a health figure is a warning or a fault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edge.dashboard.base.messages import Health
from edge.dashboard.live.device_state import CAMERA_OK, DeviceState

#: `stale` is the grade of a figure that is too old to be judged.
Grade = Literal["good", "warn", "bad", "none", "stale"]


@dataclass(frozen=True)
class Threshold:
    """A value is a warning from `warn` on, and a fault from `bad` on."""

    warn: float
    bad: float

    def grade(self, value: float | None) -> Grade:
        """Return the grade of `value`; `none` if it is unknown."""
        if value is None:
            return "none"
        return "bad" if value >= self.bad else "warn" if value >= self.warn else "good"


#: A Raspberry Pi throttles itself from 80 °C on.
TEMPERATURE_C = Threshold(70.0, 80.0)
#: Every supported Raspberry Pi has at least 1 GB of memory.
MEMORY_MB = Threshold(400.0, 700.0)
FRAME_MS = Threshold(100.0, 250.0)
OUTBOX = Threshold(20.0, 1000.0)
FRAME_AGE_S = Threshold(2.0, 10.0)
LOST = Threshold(1.0, 1.0)

#: The figures that count what has happened since a device was installed or started.
COUNTS = frozenset({"Dropped events", "Lost events", "Restarts"})
#: What each figure on the Health pages means.
EXPLANATIONS = {
    "Camera": "The state of the camera: “ok” if it delivers pictures.",
    "Frame rate": "Pictures that the device processes per second.",
    "Frame time": "Processing time of a picture: 95 of 100 pictures take no longer."
    f" Warning from {FRAME_MS.warn:g} ms, critical from {FRAME_MS.bad:g} ms.",
    "Frame age": "Time since the newest picture."
    f" Warning from {FRAME_AGE_S.warn:g} s, critical from {FRAME_AGE_S.bad:g} s.",
    "Temperature": "Temperature of the processor. “Throttled” means that it runs slower because it"
    " is too hot or its supply voltage is too low."
    f" Warning from {TEMPERATURE_C.warn:g} °C, critical from {TEMPERATURE_C.bad:g} °C.",
    "Memory": "Memory that Mask Patrol uses on the device."
    f" Warning from {MEMORY_MB.warn:g} MB, critical from {MEMORY_MB.bad:g} MB.",
    "Waiting events": "Events that the device has not yet delivered to the broker. “Not on disk”"
    " means that they would be lost if the device lost power."
    f" Warning from {OUTBOX.warn:g}, critical from {OUTBOX.bad:g}.",
    "Dropped events": "Events that the device deleted undelivered, because too many were waiting,"
    " they were too old, or their file was damaged.",
    "Lost events": "Events that the device has numbered but that never reached the dashboard.",
    "Restarts": "How often Mask Patrol has started on the device without a clean stop before, for"
    " example after a crash or a power cut.",
}


@dataclass(frozen=True)
class HealthCell:
    """A health figure as text, with its grade."""

    name: str
    text: str
    grade: Grade


def health_cells(device: DeviceState, is_current: bool = True) -> list[HealthCell]:
    """Return the health figures of a device for the Health pages.

    If its last report is not current, its figures have the grade `stale`.
    """
    if device.health is None:
        return [HealthCell("Health", "no report yet", "none")]
    reported = _reported_cells(device.health)
    if not is_current:
        reported = [replace(cell, grade="stale") for cell in reported]
    # The dashboard itself counts the lost events, so that their number is always current.
    return [*reported, HealthCell("Lost events", str(device.lost), LOST.grade(device.lost))]


def _reported_cells(health: Health) -> list[HealthCell]:
    frame = health.stages_ms.get("frame")
    p95 = frame.p95 if frame else None
    return [
        HealthCell(
            "Camera",
            health.camera or "—",
            "none" if health.camera is None else "good" if health.camera in CAMERA_OK else "bad",
        ),
        HealthCell("Frame rate", _text(health.fps, ".1f", " /s"), _grade_fps(health.fps)),
        HealthCell("Frame time", _text(p95, ".0f", " ms"), FRAME_MS.grade(p95)),
        HealthCell("Frame age", _text(health.frame_age_s, ".1f", " s"),
             FRAME_AGE_S.grade(health.frame_age_s)),
        HealthCell(
            "Temperature",
            _text(health.temperature_c, ".0f", " °C")
            + (" (throttled)" if health.throttled else ""),
            "bad" if health.throttled else TEMPERATURE_C.grade(health.temperature_c),
        ),
        HealthCell("Memory", _text(health.memory_mb, ".0f", " MB"),
                   MEMORY_MB.grade(health.memory_mb)),
        HealthCell(
            "Waiting events",
            _text(health.outbox_depth, "d")
            + (" (not on disk)" if health.outbox_on_disk is False else ""),
            "bad" if health.outbox_on_disk is False else OUTBOX.grade(health.outbox_depth),
        ),
        HealthCell("Dropped events", _text(health.events_dropped, "d"),
                   LOST.grade(health.events_dropped)),
        HealthCell("Restarts", _text(health.restarts, "d"), "none" if health.restarts is None else
             "warn" if health.restarts else "good"),
    ]  # fmt: skip


def _grade_fps(fps: float | None) -> Grade:
    """Grade only whether there are frames: the intended frame rate is a setting of the device."""
    return "none" if fps is None else "good" if fps > 0.0 else "bad"


def _text(value: float | None, form: str, unit: str = "") -> str:
    return "—" if value is None else f"{value:{form}}{unit}"
