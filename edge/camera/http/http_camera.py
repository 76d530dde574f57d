"""The source for cameras that send JPEG or PNG pictures over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.http.client import HttpClient
from edge.camera.http.errors import HttpError, HttpTimeoutError
from edge.camera.http.picture_response import NO_PICTURE, PictureResponse
from edge.camera.http.picture_scanner import EncodedPicture
from edge.camera.pictures.image_files import decode_image
from edge.camera.source import AbsentError, Frame, SourceError
from edge.camera.stream_address import StreamAddress
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.common.hidden_passwords import without_password
from edge.common.paths import user_path
from edge.config.settings import CameraSettings

#: Pictures with more pixels, those of an 8K camera, are not decoded. Such a picture needs 100 MB as
#: BGR, and up to 200 MB more while it is decoded if it is a progressive JPEG.
MAX_PIXELS = 7680 * 4320
#: Longest pause in seconds between the first two pictures of a stream without parts.
MAX_PAUSE_S = 1.0


class HttpCamera:
    """The pictures of a camera, each decoded on its own, so that its size may change at any time.

    An answer that ends after one picture is a snapshot: it is requested again, `settings.fps` times
    per second. So is an answer that does not end, because the camera states no length and keeps the
    connection open, but in which no other picture begins for a while. An answer with more pictures
    is a stream, whose end is an error.
    """

    live = True

    def __init__(
        self,
        client: HttpClient,
        settings: CameraSettings,
        frame_filter: FrameFilter = accept_all,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take ownership of `client`; `clock` and `sleep` are in seconds."""
        self._client = client
        self._name = without_password(settings.source)
        self._timeout_s = settings.timeout_s
        # `source_factory.frame_rate_limit` accepts a frame at least this often.
        self._period_s = min(1.0 / settings.fps, settings.timeout_s / 2.0)
        self._frame_filter = frame_filter
        self._clock = clock
        self._sleep = sleep
        self._requested_s = clock()
        self._pictures: PictureResponse | None = None
        # Whether the answers do not end, although each contains only one picture.
        self._is_endless_snapshot = False
        self._first: tuple[Pixels, float] | None = None
        self._index = -1
        #: Why the newest picture or answer could not be used.
        self._fault = ""

    def open(self) -> bool:
        """Request the address, and read the first picture, which `read` will return.

        Returns False if the answer is video for FFmpeg. Raises HttpError if there is no answer or
        no picture within the time-out.
        """
        deadline_s = self._clock() + self._timeout_s
        self._pictures = PictureResponse(self._client.get(deadline_s))
        if not self._pictures.has_pictures(deadline_s):
            return False
        while self._first is None:
            try:
                picture = self._pictures.next(deadline_s)
            except HttpError as error:
                raise HttpError(self._fault or str(error)) from None
            if picture is None:
                raise HttpError(self._fault or NO_PICTURE)
            image = self._decode(picture)
            if image is not None:
                self._first = image, self._clock()
        return True

    def read(self) -> Frame | None:
        """Return the next picture that the filter accepts, with the time at which it arrived.

        Raises SourceError if the camera ends its stream, or delivers no picture for the time-out.
        """
        found, self._first = self._first, None
        deadline_s = self._clock() + self._timeout_s
        while found is None:
            picture = self._next_of_stream(deadline_s)
            if picture is None:
                picture = self._request_snapshot(deadline_s)
                arrived_s = self._clock()
            else:
                arrived_s = self._clock()
                if not self._frame_filter(arrived_s):
                    deadline_s = arrived_s + self._timeout_s
                    continue
            image = self._decode(picture)
            if image is not None:
                found = image, arrived_s
        self._index += 1
        self._fault = ""
        return Frame(*found, self._index)

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        """Return the names of all controls: network cameras are set on their own pages."""
        return settings.controls.names

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._client.close()

    def _next_of_stream(self, deadline_s: float) -> EncodedPicture | None:
        """Return the next picture of the present answer; None if the answer was a snapshot."""
        pictures = self._pictures
        assert pictures is not None
        if self._is_endless_snapshot:
            return None
        begun_by_s = deadline_s
        if pictures.count == 1:
            pause_s = self._timeout_s / 2.0
            if not pictures.has_parts:
                pause_s = min(pause_s, MAX_PAUSE_S)
            begun_by_s = min(deadline_s, self._clock() + pause_s)
        picture = None
        try:
            picture = pictures.next(deadline_s, begun_by_s)
        except HttpTimeoutError:
            self._is_endless_snapshot = pictures.count == 1
        except HttpError:  # the connection is lost
            pass
        if picture is None and pictures.count != 1:
            raise self._lost()
        return picture

    def _request_snapshot(self, deadline_s: float) -> EncodedPicture:
        """Request the next snapshot when it is due; failures are ignored until `deadline_s`."""
        while True:
            self._wait_until_due()
            try:
                self._pictures = PictureResponse(self._client.get(deadline_s))
                if (picture := self._pictures.next(deadline_s)) is not None:
                    return picture
                self._fault = NO_PICTURE
            except HttpError as error:
                self._fault = self._fault or str(error)
            if self._clock() >= deadline_s:
                raise self._lost()

    def _wait_until_due(self) -> None:
        """Wait until the next snapshot is due and the filter accepts it."""
        while True:
            now_s = self._clock()
            self._requested_s = max(self._requested_s + self._period_s, now_s)
            self._sleep(self._requested_s - now_s)
            if self._frame_filter(self._clock()):
                return

    def _decode(self, picture: EncodedPicture) -> Pixels | None:
        """Return the decoded picture; None, with the reason in `_fault`, if it cannot be used."""
        if picture.width * picture.height > MAX_PIXELS:
            self._fault = (
                f"its pictures have {picture.width}x{picture.height} pixels, which is too much;"
                " choose a smaller size in the camera"
            )
            return None
        try:
            return decode_image(picture.content, "the picture")
        except UserError:
            self._fault = "its pictures are damaged and cannot be decoded"
            return None

    def _lost(self) -> SourceError:
        reason = f": {self._fault}" if self._fault else ""
        return SourceError(f"{self._name} stopped delivering frames{reason}")


def open_http(
    address: StreamAddress, settings: CameraSettings, frame_filter: FrameFilter = accept_all
) -> HttpCamera | None:
    """Open the camera at `address`; return None if it sends video, and not pictures.

    Raises AbsentError when there is no picture within the time-out, which may change.
    """
    ca_file = user_path(settings.ca_file) if settings.ca_file else None
    camera = HttpCamera(HttpClient(address, ca_file=ca_file), settings, frame_filter)
    try:
        if camera.open():
            return camera
    except HttpError as error:
        camera.close()
        name = without_password(settings.source)
        raise AbsentError(f"no video stream at {name}: {error}") from None
    except BaseException:
        camera.close()
        raise
    camera.close()  # many cameras serve only one client at a time
    return None
