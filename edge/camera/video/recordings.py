"""Recorded sources: video files and folders of pictures."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.pictures.image_files import read_image
from edge.camera.pictures.picture_list import is_picture_file, list_pictures
from edge.camera.source import Frame, SourceError
from edge.camera.video.joined_video import JoinedVideo
from edge.camera.video.main_stream import NoVideoError
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.common.paths import kind_of
from edge.config.settings import CameraSettings

#: Frame rate of a file that does not state it; most cameras and phones record at this rate.
FALLBACK_FPS = 30.0
#: A longer gap between two frames of a recording is treated as a broken time stamp.
MAX_GAP_S = 5.0
#: A file that ends before this fraction of the duration that it states is damaged or truncated.
#: The stated number of frames is no measure: a variable frame rate makes it a guess.
MIN_COMPLETE_FRACTION = 0.9

log = logging.getLogger(__name__)


class VideoFile:
    """The frames of a video file, each with its time in the recording."""

    live = False

    def __init__(self, path: Path, frame_filter: FrameFilter = accept_all) -> None:
        """Open `path`, to read the frames that `frame_filter` accepts.

        Raises SourceError when the file is missing or contains no readable frame.
        """
        if kind_of(path) != "file":
            raise SourceError(
                f"no such video file: {path};"
                " a source is a file, a folder, /dev/video0 or an address"
            )
        try:
            self._video = JoinedVideo(path)
        except NoVideoError as error:
            if isinstance(error.__cause__, OSError):  # no permission, or a damaged disk
                raise SourceError(f"cannot read {path}: {error}") from None
            raise self._unreadable(path) from None
        self._first: Pixels | None = None
        with contextlib.suppress(NoVideoError):
            if self._video.grab():
                self._first = self._video.decoder.retrieve()
        if self._first is None:
            self._video.release()
            raise self._unreadable(path)
        self._path = path
        self._frame_filter = frame_filter
        fps = self._video.decoder.fps
        self._period_s = 1.0 / (fps if 0.1 <= fps <= 1000.0 else FALLBACK_FPS)
        self._index = -1
        self._at_s = -self._period_s
        self._shift_s = 0.0
        self._extent = _Extent()

    def read(self) -> Frame | None:
        """Return the next frame that the filter accepts, or None at the end.

        `captured_at_s` is the frame's time in the recording. A frame that cannot be converted is
        skipped. Raises SourceError instead of returning None if the rest cannot be played.
        """
        while True:
            image, self._first = self._first, None
            if image is None and not self._grab():
                break
            self._advance()
            if not self._frame_filter(self._at_s):
                continue
            if image is None:
                image = self._video.decoder.retrieve()
            if image is not None:
                return Frame(image, self._at_s, self._index)
        self._warn_if_truncated()
        return None

    def _grab(self) -> bool:
        try:
            return self._video.grab()
        except NoVideoError as error:
            played_s = self._at_s + self._period_s
            raise SourceError(
                f"{self._path} cannot be played beyond {played_s:.1f} s, where another recording"
                f" or other data begins: {error}"
            ) from None

    def _advance(self) -> None:
        """Count one more frame and determine its time."""
        stated_s = self._video.decoder.at_s
        self._extent.add(stated_s, max(self._period_s, self._video.decoder.frame_duration_s))
        # Broken time stamps repeat, decrease or jump; the time then follows from the frame rate.
        step_s = (0.0 if stated_s is None else stated_s) + self._shift_s - self._at_s
        if not 0.0 < step_s <= MAX_GAP_S:
            self._shift_s += self._period_s - step_s
            step_s = self._period_s
        self._at_s += step_s
        self._index += 1

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        """Return the names of all controls that are set: a recording has none."""
        return settings.controls.names

    def close(self) -> None:
        """Close the file."""
        self._video.release()

    @staticmethod
    def _unreadable(path: Path) -> SourceError:
        return SourceError(f"{path} contains no readable video frame; is it a complete video file?")

    def _warn_if_truncated(self) -> None:
        if self._video.count > 1:  # what each of several recordings states is not known any more
            return
        stated_s = self._video.decoder.duration_s
        played_s = max(self._extent.end_s, self._at_s + self._period_s)
        # A file may end with a gap like those that it contains, as a time lapse does.
        missing_s = 0.0 if stated_s is None else stated_s - played_s - self._extent.longest_gap_s
        if stated_s is not None and missing_s > (1.0 - MIN_COMPLETE_FRACTION) * stated_s:
            log.warning(
                "%s ended after %.1f s of %.1f s: it is damaged or truncated",
                self._path,
                played_s,
                stated_s,
            )


class _Extent:
    """Up to which time the time stamps of a file reach."""

    def __init__(self) -> None:
        self.end_s = self.longest_gap_s = 0.0
        self._newest_s = 0.0

    def add(self, stated_s: float | None, duration_s: float) -> None:
        """Add the time stamp of a frame that is shown for `duration_s`."""
        if stated_s is None:
            return
        self.longest_gap_s = max(self.longest_gap_s, stated_s - self._newest_s)
        self._newest_s = stated_s
        self.end_s = max(self.end_s, stated_s + duration_s)


class PictureFolder:
    """The pictures of a folder in the order of their names (2 before 10), played as a video.

    A single picture is played like a folder that contains only this picture. A picture that cannot
    be read is logged and skipped. After the last picture, `read` raises SourceError if any was
    skipped.
    """

    live = False

    def __init__(self, folder: Path, fps: float, frame_filter: FrameFilter = accept_all) -> None:
        """List the pictures of `folder`, which are played at `fps` pictures per second.

        `folder` may also be a picture. Only pictures whose time `frame_filter` accepts are read.
        Raises SourceError when the folder cannot be read or contains no picture.
        """
        try:
            self._paths = [folder] if is_picture_file(folder) else list_pictures(folder)
        except UserError as error:
            raise SourceError(str(error)) from None
        self._folder = folder
        self._period_s = 1.0 / fps
        self._frame_filter = frame_filter
        self._index = -1
        self._skipped: list[UserError] = []
        self._logged = 0

    def read(self) -> Frame | None:
        """Return the next picture that the filter accepts and that can be read; None at the end.

        Raises SourceError instead of returning None if a picture could not be read.
        """
        while (index := self._index + 1) < len(self._paths):
            self._index = index
            at_s = index * self._period_s
            if not self._frame_filter(at_s):
                continue
            try:
                image = read_image(self._paths[index])
            except UserError as error:
                self._skipped.append(error)
                continue
            self._log_skipped()
            return Frame(image, at_s, index)
        self._end()
        return None

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        """Return the names of all controls that are set: a recording has none."""
        return settings.controls.names

    def close(self) -> None:
        """Do nothing: no file is open between pictures."""

    def _log_skipped(self) -> None:
        for error in self._skipped[self._logged :]:
            log.warning("skipped a picture: %s", error)
        self._logged = len(self._skipped)

    def _end(self) -> None:
        """Raise SourceError if a picture was skipped."""
        if not self._skipped:
            return
        if self._paths == [self._folder]:
            raise SourceError(str(self._skipped[0]))
        if len(self._skipped) == len(self._paths):  # one error instead of one for each picture
            raise SourceError(f"no picture in {self._folder} can be read: {self._skipped[0]}")
        self._log_skipped()
        raise SourceError(
            f"skipped {len(self._skipped)} of {len(self._paths)} pictures in {self._folder};"
            f" the first one: {self._skipped[0]}"
        )
