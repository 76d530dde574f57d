"""Snapshots: pictures of alerts in which everything but the face of the alert is blurred.

Snapshots are off by default, and are stored on the disk of the device. They are shown only by a
dashboard on the same device, and only if the preview of the camera is on as well.
Everything except that face is blurred, not only the other detected faces, because the detector
misses many faces.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.common.paths import state_directory, user_path
from edge.common.regular_file import read_regular_file
from edge.config.settings import SnapshotSettings

log = logging.getLogger(__name__)

#: The names that `Snapshots.save` gives to files, without the suffix.
NAME = re.compile(r"[A-Za-z0-9._-]{1,200}", re.ASCII)
#: x, y, width, height as fractions of the frame.
FractionBox = tuple[float, float, float, float]
#: Width in pixels to which the frame is scaled down, and then up again, to blur it: a face that
#: fills a tenth of the width is then two or three pixels wide.
BLURRED_WIDTH_PX = 24
#: Share of the box of a face that is added on each side, to include chin and forehead.
MARGIN = 0.15
JPEG_QUALITY = 80
#: No snapshot is larger: it is at most as wide as the widest frame, and mostly blurred.
MAX_BYTES = 3 * 1024 * 1024
SUFFIX, UNFINISHED = ".jpg", ".unfinished"
DAY_S = 86_400.0
#: A file that is still unfinished after this time was abandoned.
MAX_WRITE_S = 60.0


@dataclass(frozen=True)
class StoredSnapshot:
    """A stored picture: its name without the suffix, and when it was written (epoch seconds)."""

    name: str
    written_s: float


class Snapshots:
    """A folder of snapshots whose number, size and age are limited."""

    def __init__(
        self, settings: SnapshotSettings, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Use the configured folder, which the first `save` creates."""
        self._settings = settings
        self._wall_clock = wall_clock
        self.folder = user_path(settings.path) if settings.path else state_directory() / "snapshots"

    def save(self, name: str, frame: Frame, shown: Sequence[FractionBox]) -> Path:
        """Write `frame` as `name`.jpg, blurred except for the boxes of `shown`; return its path.

        Raises UserError if it cannot be written.
        """
        picture = blur_except(frame.image_bgr, shown, self._settings.width_px)
        ok, encoded = cv2.imencode(SUFFIX, picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        path = self.folder / (re.sub(r"[^A-Za-z0-9._-]", "-", name) + SUFFIX)
        try:
            if not ok:
                raise OSError(0, "the frame cannot be encoded as a JPEG")
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = path.with_suffix(UNFINISHED)
            with open(unfinished, "wb", opener=_open_private) as file:
                file.write(encoded.tobytes())
            unfinished.replace(path)
        except OSError as error:
            with suppress(OSError):
                path.with_suffix(UNFINISHED).unlink()
            raise UserError(f"cannot write the snapshot {path}: {error.strerror}") from None
        self.delete_expired(path)
        return path

    def stored(self) -> list[StoredSnapshot]:
        """Return the stored pictures, newest first; none if the folder cannot be read."""
        found = []
        for path in self.folder.glob("*" + SUFFIX):
            with suppress(OSError):  # the file was deleted in the meantime
                if NAME.fullmatch(path.stem):
                    found.append(StoredSnapshot(path.stem, path.stat().st_mtime))
        return sorted(found, key=lambda each: (each.written_s, each.name), reverse=True)

    def read(self, name: str) -> bytes:
        """Return the JPEG that is stored as `name`; raises UserError if there is none."""
        try:
            if not NAME.fullmatch(name):
                raise FileNotFoundError
            # The configured folder may be on a medium on which other accounts can write.
            path = self.folder.resolve() / (name + SUFFIX)
            return read_regular_file(path, MAX_BYTES)
        except FileNotFoundError:
            raise UserError("this snapshot does not exist, or has expired") from None
        except OSError as error:
            raise UserError(f"cannot read the snapshot {name}: {error.strerror}") from None

    def delete_expired(self, newest: Path | None = None) -> None:
        """Delete snapshots that exceed the configured age or number, and abandoned files.

        Other files are never deleted, and neither is `newest`, whatever the clock shows.
        """
        now_s = self._wall_clock()
        oldest_s = now_s - self._settings.max_age_days * DAY_S
        try:
            found = [(p.stat().st_mtime, p) for p in self.folder.glob("*" + SUFFIX)]
            expired = [
                p for p in self.folder.glob("*" + UNFINISHED) if self._is_abandoned(p, now_s)
            ]
        except OSError:
            return  # the folder does not exist yet, or a file was deleted in the meantime
        # Files with a time in the future were written before the clock was set back.
        found.sort(key=lambda file: (file[1] == newest, file[0] <= now_s, file[0]), reverse=True)
        for number, (written_s, path) in enumerate(found):
            if number >= self._settings.max_files or written_s < oldest_s:
                expired.append(path)
        for path in expired:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("cannot delete the old snapshot %s: %s", path, error.strerror)

    @staticmethod
    def _is_abandoned(path: Path, now_s: float) -> bool:
        """Whether the unfinished file `path` will never be finished.

        A file whose time is ahead was left before the clock was set back.
        """
        return abs(now_s - path.stat().st_mtime) > MAX_WRITE_S


def blur_except(image_bgr: Pixels, shown: Sequence[FractionBox], width_px: int) -> Pixels:
    """Return a copy of `image_bgr`, (height, width, 3) uint8, blurred except for `shown`.

    The copy is at most `width_px` wide. A margin around each box of `shown` is not blurred either.
    """
    height, width = image_bgr.shape[:2]
    scale = min(1.0, width_px / width)
    size = (round(width * scale), max(1, round(height * scale)))
    sharp = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    coarse = (BLURRED_WIDTH_PX, max(1, round(BLURRED_WIDTH_PX * height / width)))
    tiny = cv2.resize(image_bgr, coarse, interpolation=cv2.INTER_AREA)
    result = cv2.resize(tiny, size, interpolation=cv2.INTER_LINEAR)
    for x, y, w, h in shown:
        left, right = (x - MARGIN * w) * size[0], (x + w + MARGIN * w) * size[0]
        top, bottom = (y - MARGIN * h) * size[1], (y + h + MARGIN * h) * size[1]
        rows = slice(max(0, round(top)), max(0, round(bottom)))
        columns = slice(max(0, round(left)), max(0, round(right)))
        result[rows, columns] = sharp[rows, columns]
    return np.asarray(result, np.uint8)


def _open_private(path: str, flags: int) -> int:
    """Open a file that only the user of the process can read and write."""
    return os.open(path, flags, 0o600)
