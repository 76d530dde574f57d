"""Play a file into which several recordings were joined, as `cat` and some recorders do it.

FFmpeg plays all of it if the recordings are of one kind and the format allows it. Else it passes
the further recordings to the decoder of the first one, or ends before them.
"""

from __future__ import annotations

from pathlib import Path

from edge.camera.video.capture import ChangedError
from edge.camera.video.main_stream import NoVideoError
from edge.camera.video.video_decoder import VideoDecoder

#: How a file of a format begins: bytes, and how far from the beginning they are.
SIGNATURES: dict[str, tuple[bytes, int]] = {
    "mp4": (b"ftyp", 4),
    "matroska": (b"\x1aE\xdf\xa3", 0),
    "avi": (b"AVI LIST", 8),
    "flv": (b"FLV\x01", 0),
}
#: Where the formats that have no beginning can be played from: the packet with the table of
#: programs, the header of a pack, or any byte.
STREAM_SIGNATURES = {
    "mpegts": (b"\x47\x40\x00", 0),
    "mpeg": (b"\x00\x00\x01\xba", 0),
    **dict.fromkeys(("h264", "hevc", "m4v", "mpegvideo"), (b"", 0)),
}
#: In so many bytes behind the last frame such a beginning is searched for: the index of a recording
#: and some of its sound may be in front of it.
SEARCHED_BYTES = 32 << 20
#: Fewer bytes behind the last packet are its end, or sound.
MIN_TAIL_BYTES = 4096
#: Fewer packets at the end that cannot be decoded are only a damaged end.
MIN_LOST_PACKETS = 8


class JoinedVideo:
    """The recordings in one file, of which one is decoded at a time."""

    def __init__(self, path: Path) -> None:
        """Open the first recording in `path`; raises NoVideoError."""
        # The absolute path, because FFmpeg takes the part of a name before a colon for a protocol.
        self._path = path.absolute()
        #: What decodes the present recording.
        self.decoder = VideoDecoder(f"file:{self._path}")
        #: The number of recordings that were opened.
        self.count = 1
        self._start = 0
        # No recording begins before this byte, so that nothing is searched twice.
        self._searched_to = 0

    def grab(self) -> bool:
        """Let `decoder` decode the next frame, of the next recording at the end of the present one.

        Returns False at the end of the file. Raises NoVideoError if what follows cannot be played.
        """
        while True:
            lost_at, is_over, count = None, True, 0
            try:
                if self.decoder.grab():
                    return True
                count = self.decoder.undecoded.count
                lost_at = self.decoder.undecoded.at if count >= MIN_LOST_PACKETS else None
            except ChangedError as change:
                lost_at, is_over = change.at, False
            if self._follow(lost_at):
                return True
            if is_over and count >= MIN_LOST_PACKETS:
                raise NoVideoError(f"its last {count} packets cannot be decoded")
            if is_over:
                return False

    def release(self) -> None:
        """Close the file; a second call does nothing."""
        self.decoder.release()

    def _follow(self, lost_at: int | None) -> bool:
        """Open the next recording, and decode its first frame; return False if there is none.

        `lost_at` is the byte of the present recording behind which it could not be decoded, None if
        it ended. Raises NoVideoError if there is a next recording, but it cannot be played.
        """
        after = self.decoder.undecoded.newest_end if lost_at is None else lost_at
        if after is None:
            return False
        if not self._path.is_file():
            if lost_at is None:
                return False
            raise NoVideoError("only in a file, and not through a pipe, can it be found")
        start = self._find_start(self._start + after)
        if start is None:
            return False
        is_stream = not STREAM_SIGNATURES.keys().isdisjoint(self.decoder.format_names)
        try:
            self._open(start)
        except NoVideoError:
            if is_stream and lost_at is None:  # only the end of the sound
                return False
            raise
        return True

    def _open(self, first: int) -> None:
        """Open the recording that begins at the byte `first` or a little later.

        The first frame is decoded. Raises NoVideoError if there is none.
        """
        start = first
        while True:
            decoder = VideoDecoder(f"subfile,,start,{start},end,0,,:file:{self._path}")
            following = None
            try:
                if decoder.grab():
                    self.decoder.release()
                    self.decoder, self._start = decoder, start
                    self.count += 1
                    return
            except ChangedError:  # the end of the recording before it was in front
                following = self._find_start(start + 1)
            decoder.release()
            if following is None:
                raise NoVideoError("it contains no frame that can be decoded")
            start = following

    def _find_start(self, after: int) -> int | None:
        """Return the first byte from `after` on at which a recording can be opened."""
        known = STREAM_SIGNATURES | SIGNATURES
        names = [name for name in self.decoder.format_names if name in known]
        if not names or self._path.stat().st_size - after < MIN_TAIL_BYTES:
            return None
        signature, distance = known[names[0]]
        after = max(after, self._searched_to)
        with self._path.open("rb") as file:
            file.seek(after)
            found = file.read(SEARCHED_BYTES).find(signature)
        if found >= distance:
            return after + found - distance
        self._searched_to = after + SEARCHED_BYTES - len(signature)
        return None
