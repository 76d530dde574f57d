"""Recorded sources: a video file, a folder of pictures."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import cv2

from edge.camera.frame_rate_limit import Wants, every
from edge.camera.image_files import PICTURE_SUFFIXES, read_image
from edge.camera.source import Frame, SourceError, is_picture
from edge.common.arrays import Pixels
from edge.common.paths import kind_of

#: Assumed when a container does not say; most cameras and phones record at this rate.
FALLBACK_FPS = 30.0
#: Nobody wants to wait out a longer gap in a recording.
MAX_GAP_S = 5.0
#: Containers state their length to the frame or nearly so; much less was cut off.
COMPLETE_SHARE = 0.9

log = logging.getLogger(__name__)


def _natural(name: str) -> list[tuple[int, str]]:
    """A sort key that reads runs of digits as numbers."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


class VideoFile:
    """Every frame of a video file, with its time in the recording."""

    live = False

    def __init__(self, path: Path, wants: Wants = every) -> None:
        """Open `path` for the frames that are wanted; raises SourceError when it is missing or
        holds none."""
        if kind_of(path) != "file":
            raise SourceError(
                f"no such video file: {path};"
                " a source is a file, a folder, /dev/video0 or an address"
            )
        # In full, as FFmpeg takes what stands before a colon for a protocol.
        self._capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
        first = self._capture.read()[1] if self._capture.isOpened() else None
        if not is_picture(first):
            self._capture.release()
            raise SourceError(
                f"{path} holds no readable video frame; is it a video file, and complete?"
            )
        self._first: Pixels | None = first
        self._path = path
        self._wants = wants
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._period_s = 1.0 / (fps if 0.1 <= fps <= 1000.0 else FALLBACK_FPS)
        self._index = -1
        self._at_s = -self._period_s
        self._shift_s = 0.0

    def read(self) -> Frame | None:
        """The next frame that is wanted; `captured_at_s` is its time in the recording."""
        while True:
            image, self._first = self._first, None
            if image is None and not self._capture.grab():
                break
            self._advance()
            if not self._wants(self._at_s):
                continue
            decoded = self._capture.retrieve()[1] if image is None else image
            if not is_picture(decoded):
                break
            return Frame(decoded, self._at_s, self._index)
        self._tell_if_cut_off()
        return None

    def _advance(self) -> None:
        """Another frame has been reached."""
        stated_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        # Broken time stamps stand still, run backwards or leap: then the frame rate counts.
        step_s = stated_s + self._shift_s - self._at_s
        if not 0.0 < step_s <= MAX_GAP_S:
            self._shift_s += self._period_s - step_s
            step_s = self._period_s
        self._at_s += step_s
        self._index += 1

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _tell_if_cut_off(self) -> None:
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        read = self._index + 1
        if read < COMPLETE_SHARE * stated:
            log.warning(
                "%s ended after %d of %d frames: it is damaged or cut off",
                self._path,
                read,
                stated,
            )


class PictureFolder:
    """The pictures of a folder in the order of their names (2 before 10), as a film."""

    live = False

    def __init__(self, folder: Path, fps: float, wants: Wants = every) -> None:
        """Look into `folder`, whose pictures are shown `fps` a second, for those that are wanted;
        raises SourceError when there is none."""
        try:
            entries = sorted(folder.iterdir(), key=lambda path: _natural(path.name))
        except OSError as error:
            raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from None
        self._paths = [p for p in entries if p.suffix.lower() in PICTURE_SUFFIXES]
        if not self._paths:
            raise SourceError(
                f"no pictures in {folder}; expected {', '.join(sorted(PICTURE_SUFFIXES))}"
            )
        self._period_s = 1.0 / fps
        self._wants = wants
        self._index = -1

    def read(self) -> Frame | None:
        """The next picture that is wanted; raises UserError naming one that cannot be read."""
        while (index := self._index + 1) < len(self._paths):
            self._index = index
            at_s = index * self._period_s
            if self._wants(at_s):
                return Frame(read_image(self._paths[index]), at_s, index)
        return None

    def close(self) -> None:
        """Nothing is held open between pictures."""
