"""The protocols of sources and feeds, and the frames and errors that they deliver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeGuard

import numpy as np

from edge.camera.orientation import UNTURNED, Orientation
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.config.settings import CameraSettings

CameraState = Literal["starting", "ok", "stalled", "black", "frozen", "reopening"]


class SourceError(UserError):
    """A source cannot be opened, or has stopped delivering frames."""


class AbsentError(SourceError):
    """A live source is not available at present: it is off, unplugged, or in use."""


@dataclass(frozen=True)
class Frame:
    """One picture of the camera.

    `image_bgr` is (height, width, 3) uint8 in OpenCV's channel order and is never written to.
    `captured_at_s` is on the clock of the run: monotonic seconds for a live source and for a
    recording that is played at its own speed, seconds since the first frame for a recording that
    is played fast. `luma` is the same picture as a smaller (height, width) uint8 grey picture
    with the same aspect ratio, if the hardware of the camera provides it at no cost. `orientation`
    is what has been applied to both pictures since the sensor read them.
    """

    image_bgr: Pixels
    captured_at_s: float
    index: int
    luma: Pixels | None = None
    orientation: Orientation = UNTURNED

    @property
    def image_rgb(self) -> Pixels:
        """A view of the picture in RGB order; no pixel is copied."""
        return self.image_bgr[:, :, ::-1]

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.image_bgr.shape[:2]
        return height, width


@dataclass(frozen=True)
class CameraStatus:
    """Status of the source.

    `state` is `starting` before the first frame, `stalled` when the source failed, ended or
    delivers no usable frame, and `reopening` from the first attempt to reopen the source until it
    delivers frames again. `reason` describes why the state is not `ok`, and is empty if the state
    is `ok`. `frame_age_s` is the time since the newest good frame was captured, None before the
    first one. `reopened` is how often the source was reopened, `dropped` how many frames were
    replaced by newer ones before the consumer took them.
    """

    state: CameraState
    reason: str
    frame_age_s: float | None
    reopened: int
    dropped: int


class Feed(Protocol):
    """Returns frames when the daemon's loop requests them, however fast the source is."""

    @property
    def over(self) -> bool:
        """Whether there will be no further frame."""

    def take(self, timeout_s: float) -> Frame | None:
        """Return the next frame; None if there is no frame within `timeout_s`, or at the end.

        Raises SourceError when the source was given up.
        """

    def status(self) -> CameraStatus:
        """Return the status of the source; may be called from any thread."""


class Source(Protocol):
    """A source of frames.

    `live` is True for a camera or network stream, whose frames must be read as they are captured,
    and False for a file or folder, which can be played at any speed.
    """

    live: bool

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end of a file or folder.

        Raises SourceError when a live source delivers nothing within its time-out.
        """

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        """Apply those of `settings` that an open source can change: `controls`.

        Returns the names of the controls that are set and that the source does not support. Must be
        called by the thread that reads, between two reads.
        """

    def close(self) -> None:
        """Release the device or file; a second call does nothing."""


def is_picture(image: object) -> TypeGuard[Pixels]:
    """Return whether a decoder returned a usable (height, width, 3) uint8 picture."""
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )
