"""The pictures in one answer of an HTTP camera, and whether an answer contains pictures at all."""

from __future__ import annotations

import re

from edge.camera.http.client import HttpResponse
from edge.camera.http.errors import HttpError, HttpTimeoutError
from edge.camera.http.picture_scanner import (
    JPEG_START,
    PNG_START,
    EncodedPicture,
    PictureScanner,
)

#: Bytes of an answer that are enough to tell pictures from anything else.
SNIFF_BYTES = 16
#: Types of video that are a series of JPEGs.
JPEG_VIDEO = ("video/x-motion-jpeg", "video/x-mjpeg", "video/mjpeg", "video/x-jpeg")
#: How an answer with pictures begins, whatever its type: a boundary, a part header, or a picture.
_PICTURES = re.compile(
    rb"\s*(?:--|(?i:content-(?:type|length)\s*:)|%b|%b)"
    % (re.escape(JPEG_START), re.escape(PNG_START))
)
#: How text begins that FFmpeg plays: playlists of HLS and DASH, and session descriptions.
_PLAYABLE_TEXT = re.compile(rb"\s*(?:#EXTM3U|v=0|(?:<\?xml[^>]*>\s*)?<MPD)")


NO_PICTURE = "it sends no complete JPEG or PNG picture; check the path of the address"


class PictureResponse:
    """One answer of a camera, in which pictures are searched for.

    `count` is the number of pictures that `next` has returned.
    """

    def __init__(self, response: HttpResponse) -> None:
        """Read the body of `response`, of which nothing has been read yet."""
        self.count = 0
        self._is_empty = True
        self._response = response
        self._scanner = PictureScanner()

    @property
    def has_parts(self) -> bool:
        """Whether the camera says that the answer has several parts: it is meant as a stream."""
        return self._response.content_type.startswith("multipart/")

    def has_pictures(self, deadline_s: float) -> bool:
        """Return whether the answer consists of pictures, and not of video for FFmpeg.

        Raises HttpError if it is a text, such as a web page, or if its beginning does not arrive by
        `deadline_s`.
        """
        kind = self._response.content_type
        if kind.startswith(("multipart/", "image/")) or kind in JPEG_VIDEO:
            return True
        start = b""
        while len(start) < SNIFF_BYTES and (data := self._response.read_some(deadline_s)):
            start += data
        self._scanner.add(start)
        if _PICTURES.match(start):
            return True
        is_text = kind.startswith("text/") or kind.endswith(("json", "xml"))
        if is_text and not _PLAYABLE_TEXT.match(start):
            raise HttpError(
                f"it answers with {kind}, not with pictures or video; check the path of the address"
            )
        return False

    def next(self, deadline_s: float, begun_by_s: float | None = None) -> EncodedPicture | None:
        """Return the next picture, or None at the end of the answer.

        Raises HttpTimeoutError if it is incomplete at `deadline_s`, or has not begun at
        `begun_by_s`; HttpError if the connection is lost.
        """
        while (picture := self._scanner.next_picture()) is None:
            until_s = deadline_s
            if begun_by_s is not None and not self._scanner.is_within_picture:
                until_s = begun_by_s
            try:
                data = self._response.read_some(until_s)
            except HttpTimeoutError:
                if self._is_empty:
                    raise
                raise HttpTimeoutError(NO_PICTURE) from None
            if not data:
                return None
            self._is_empty = False
            self._scanner.add(data)
        self.count += 1
        return picture
