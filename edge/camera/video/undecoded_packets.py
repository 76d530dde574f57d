"""Follow which packets of a video have given no frame."""

from __future__ import annotations


class UndecodedPackets:
    """The packets since the newest one that gave a frame, after the first frame.

    Positions are bytes of the file, None if they are unknown, as in a network stream.
    """

    def __init__(self) -> None:
        """Start before the first packet."""
        #: The number of these packets.
        self.count = 0
        #: Where the second packet in front of these packets begins. The one in front of them may
        #: contain the beginning of what follows, if FFmpeg did not recognise it.
        self.at: int | None = None
        #: Where the newest packet but one of the video begins, and about where the newest one ends.
        self.previous_at: int | None = None
        self.newest_end: int | None = None
        self._newest_at: int | None = None
        self._begun = False

    def add(self, size: int, at: int | None, frames: int) -> None:
        """Add a packet of `size` bytes that begins `at` a byte and gave so many `frames`.

        The packet at the end of the video has no bytes; it gives the frames that were delayed.
        """
        if not size:
            # Each of these frames may have two packets, one for each field.
            self.count = max(0, self.count - 2 * frames)
            return
        if frames:
            self._begun, self.count = True, 0
        elif self._begun:
            if not self.count:
                self.at = self.previous_at
            self.count += 1
        if at is not None:
            self.previous_at, self._newest_at, self.newest_end = self._newest_at, at, at + size
