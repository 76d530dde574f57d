"""A picture of an alert on this device's own disk, in which only the alert can be known.

Off unless it is turned on. All but the alert's own face is made unrecognisable: not just
the other faces that were found, as the detector misses many. Nothing is sent anywhere.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.common.paths import state_directory, user_path
from edge.config.settings import SnapshotSettings

log = logging.getLogger(__name__)

#: x, y, width, height as fractions of the frame.
FractionBox = tuple[float, float, float, float]
#: The rest is scaled down to so many pixels across and up again: a face that fills a tenth
#: of the picture is then two or three pixels wide.
BLURRED_WIDTH_PX = 24
#: Share of the face's box added around it, so that a chin and a forehead are whole.
MARGIN = 0.15
JPEG_QUALITY = 80
SUFFIX, UNFINISHED = ".jpg", ".unfinished"
DAY_S = 86_400.0
#: Nothing takes so long to write.
MAX_WRITE_S = 60.0


class Snapshots:
    """A folder of pictures, bounded in number, size and age."""

    def __init__(
        self, settings: SnapshotSettings, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Nothing is written or deleted before `save` or `delete_expired`."""
        self._settings = settings
        self._wall_clock = wall_clock
        self.folder = user_path(settings.path) if settings.path else state_directory() / "snapshots"

    def save(self, name: str, frame: Frame, shown: Sequence[FractionBox]) -> Path:
        """Write `frame` with all but the boxes of `shown` blurred, as `name`.jpg.

        Raises UserError when it cannot be written.
        """
        picture = blurred_but(frame.image_bgr, shown, self._settings.width_px)
        ok, encoded = cv2.imencode(SUFFIX, picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        path = self.folder / (re.sub(r"[^A-Za-z0-9._-]", "-", name) + SUFFIX)
        try:
            if not ok:
                raise OSError(0, "the picture cannot be encoded")
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = path.with_suffix(UNFINISHED)
            with open(unfinished, "wb", opener=_private) as file:
                file.write(encoded.tobytes())
            unfinished.replace(path)
        except OSError as error:
            with suppress(OSError):
                path.with_suffix(UNFINISHED).unlink()
            raise UserError(f"cannot write the snapshot {path}: {error.strerror}") from None
        self.delete_expired(path)
        return path

    def delete_expired(self, newest: Path | None = None) -> None:
        """Delete what is too old or too many; never anything that is no snapshot, nor `newest`,
        whatever the clock says."""
        now_s = self._wall_clock()
        oldest_s = now_s - self._settings.max_age_days * DAY_S
        try:
            found = [(p.stat().st_mtime, p) for p in self.folder.glob("*" + SUFFIX)]
            cut_off = [p for p in self.folder.glob("*" + UNFINISHED) if self._is_left(p, now_s)]
        except OSError:
            return  # not made yet, or just gone
        # What is dated in the future was written before the clock was put back.
        found.sort(key=lambda one: (one[1] == newest, one[0] <= now_s, one[0]), reverse=True)
        for number, (written_s, path) in enumerate(found):
            if number >= self._settings.max_files or written_s < oldest_s:
                cut_off.append(path)
        for path in cut_off:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("cannot delete the old snapshot %s: %s", path, error.strerror)

    @staticmethod
    def _is_left(path: Path, now_s: float) -> bool:
        """Whether a picture that is not finished never will be."""
        return now_s - path.stat().st_mtime > MAX_WRITE_S


def blurred_but(image_bgr: Pixels, shown: Sequence[FractionBox], width_px: int) -> Pixels:
    """A copy of (height, width, 3) uint8 `image_bgr`, at most `width_px` wide, in which only
    `shown` and a margin around each can be made out."""
    height, width = image_bgr.shape[:2]
    scale = min(1.0, width_px / width)
    size = (round(width * scale), max(1, round(height * scale)))
    clear = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    coarse = (BLURRED_WIDTH_PX, max(1, round(BLURRED_WIDTH_PX * height / width)))
    tiny = cv2.resize(image_bgr, coarse, interpolation=cv2.INTER_AREA)
    result = cv2.resize(tiny, size, interpolation=cv2.INTER_LINEAR)
    for x, y, w, h in shown:
        left, right = (x - MARGIN * w) * size[0], (x + w + MARGIN * w) * size[0]
        top, bottom = (y - MARGIN * h) * size[1], (y + h + MARGIN * h) * size[1]
        rows = slice(max(0, round(top)), max(0, round(bottom)))
        columns = slice(max(0, round(left)), max(0, round(right)))
        result[rows, columns] = clear[rows, columns]
    return np.asarray(result, np.uint8)


def _private(path: str, flags: int) -> int:
    """Nobody but this user reads it."""
    return os.open(path, flags, 0o600)
