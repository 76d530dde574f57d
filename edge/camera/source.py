"""Sources of frames behind one small protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeGuard

import numpy as np

from edge.common.arrays import Pixels
from edge.common.errors import UserError

CameraState = Literal["starting", "ok", "stalled", "black", "frozen", "reopening"]


class SourceError(UserError):
    """A source cannot be opened, or stopped delivering frames."""


class AbsentError(SourceError):
    """A live source is not there, which may pass: it is off, unplugged, or in use."""


@dataclass(frozen=True)
class Frame:
    """One picture of the camera.

    `image_bgr` is (height, width, 3) uint8 in OpenCV's channel order, never
    written to; `captured_at_s` is on the clock of the run: monotonic seconds for
    what is live or played at its own speed, seconds from the first frame for a
    file played fast. `luma`, where the camera's hardware makes one for free, is the
    same view as a small (height, width) uint8 grey picture of the same proportions.
    """

    image_bgr: Pixels
    captured_at_s: float
    index: int
    luma: Pixels | None = None

    @property
    def image_rgb(self) -> Pixels:
        """A view of the picture in RGB order; costs nothing until it is cut."""
        return self.image_bgr[:, :, ::-1]

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.image_bgr.shape[:2]
        return height, width


@dataclass(frozen=True)
class CameraStatus:
    """How the source is.

    `state`: `starting` before the first frame; `stalled` when it failed, ended or delivers
    nothing that can be used; `reopening` from the first attempt to open it anew until it
    delivers again. `reason` says in words why it is not `ok`, else it is empty.
    `frame_age_s` is the time since the newest good frame was captured, None before the
    first; `reopened` counts how often the source was opened anew, `dropped` the frames
    for which the consumer was too slow.
    """

    state: CameraState
    reason: str
    frame_age_s: float | None
    reopened: int
    dropped: int


class Feed(Protocol):
    """Frames as the loop asks for them, whatever the pace of the source."""

    @property
    def over(self) -> bool:
        """Whether nothing will come any more."""

    def take(self, timeout_s: float) -> Frame | None:
        """The next frame; None when there is none within `timeout_s`, or at the end.

        Raises SourceError when the source is lost for good.
        """

    def status(self) -> CameraStatus:
        """How the source is; may be asked from any thread."""


class Source(Protocol):
    """Somewhere that frames come from.

    `live` is True for what happens now and must not be waited for (a camera, a
    network stream), False for what can be played at any speed (a file, a folder).
    """

    live: bool

    def read(self) -> Frame | None:
        """The next frame, or None at the end of a file or folder.

        Raises SourceError when a live source delivers nothing within its time-out.
        """

    def close(self) -> None:
        """Free the device; a second call does nothing."""


def is_picture(image: object) -> TypeGuard[Pixels]:
    """Whether a decoder gave back a usable (height, width, 3) uint8 picture."""
    return (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
        and image.size > 0
    )
