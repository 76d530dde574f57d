"""`make flash`: write an image to a card, and read it back."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.common.errors import UserError
from sdcard.disk_image.partition_table import read_layout
from sdcard.disk_warnings import disk_warnings
from sdcard.disks import Disk, KernelPaths, find_disk, require_writable
from sdcard.progress import Progress

CHUNK_BYTES = 4 << 20
#: The word that the user types to confirm. For a disk with warnings, the user must type the disk's
#: model instead.
YES = "yes"
#: How long to wait for another program's lock. udev holds a lock for a moment to examine a disk.
LOCK_TIMEOUT_S = 10.0


def flash(
    image: Path,
    device: Path,
    confirm: Callable[[str, str], bool],
    kernel: KernelPaths = KernelPaths(),  # noqa: B008 - frozen
) -> None:
    """Write `image` to `device` after confirmation, and verify it.

    `confirm` is called with a description of what will be lost and the word that confirms it, and
    returns whether to continue.

    Raises UserError if the disk must not be overwritten, the user does not confirm, or the card
    does not hold what was written.
    """
    if not image.is_file():
        raise UserError(f"there is no {image}: make image makes one")
    read_layout(image)
    size = image.stat().st_size
    disk = find_disk(device, kernel)
    require_writable(disk, size, kernel)
    warnings = disk_warnings(disk, kernel)
    if not confirm(describe(disk, image, warnings), disk.model if warnings else YES):
        raise UserError("nothing was written")
    # The user may have changed the card before confirming.
    if find_disk(device, kernel) != disk:
        raise UserError(f"{disk.path} is a different disk now; nothing was written")
    require_writable(disk, size, kernel)
    try:
        descriptor = _open(disk)
        try:
            written = _write(image, descriptor)
            read = _read_back(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = error.strerror or error
        hint = ": run it with sudo" if isinstance(error, PermissionError) else ""
        raise UserError(f"{disk.path}: {reason}{hint}") from None
    if written != read:
        raise UserError(
            f"{disk.path} does not hold what was written: the card is broken, or smaller than it"
            " claims; use another one"
        )
    sys.stderr.write(f"{disk.path} holds {image.name}, verified. You can remove the card.\n")


def describe(disk: Disk, image: Path, warnings: Sequence[str] = ()) -> str:
    """Return a line that says what will be lost, and a line for each warning."""
    loss = (
        f"{disk.path}: {disk.model}, {disk.size_bytes / 1e9:.1f} GB. EVERYTHING ON IT WILL BE LOST;"
        f" {image.name} will be written to it."
    )
    return "\n".join([loss, *(f"Is this really your SD card? {text}." for text in warnings)])


def confirm_on_terminal(description: str, word: str) -> bool:
    """Print `description` and return whether the user types `word`; False without a terminal."""
    sys.stderr.write(f"{description}\n")
    if not sys.stdin.isatty():
        hint = "; --yes confirms in advance" if word == YES else ""
        sys.stderr.write(f"There is no terminal on which to confirm this{hint}.\n")
        return False
    sys.stderr.write(f"Continue? Type {word}: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == word.lower()


def confirm_in_advance(description: str, word: str) -> bool:
    """Confirm for `--yes`; asks on the terminal if the disk's model must be typed."""
    if word != YES:
        return confirm_on_terminal(description, word)
    sys.stderr.write(f"{description}\n")
    return True


def _open(disk: Disk) -> int:
    """Open the disk for reading and writing, exclusively until the descriptor is closed.

    With O_EXCL, the kernel refuses if the disk is mounted, and does not mount it later. With the
    lock, udev does not examine the disk, so that no desktop mounts what is on it.
    """
    exclusively = os.O_EXCL if disk.path.is_block_device() else 0
    descriptor = os.open(disk.path, os.O_RDWR | exclusively)
    try:
        if os.fstat(descriptor).st_rdev != disk.number:
            raise UserError(f"{disk.path} is a different disk now; nothing was written")
        until_s = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until_s:
                    raise UserError(f"another program has locked {disk.path}") from None
                time.sleep(0.1)
            else:
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise


def _write(image: Path, descriptor: int) -> str:
    """Write the image to the disk; return its SHA-256."""
    digest = hashlib.sha256()
    with (
        image.open("rb") as source,
        Progress("Writing  ", image.stat().st_size) as progress,
    ):
        done = 0
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]
            done += len(chunk)
            # Without this, the progress would show what is in the page cache, not on the card.
            os.fdatasync(descriptor)
            progress.update(done)
        os.fsync(descriptor)
    return digest.hexdigest()


def _read_back(descriptor: int, size: int) -> str:
    """Return the SHA-256 of the first `size` bytes, read from the card and not from the cache."""
    digest = hashlib.sha256()
    _drop_cache(descriptor)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with Progress("Verifying", size) as progress:
        done = 0
        while done < size and (chunk := os.read(descriptor, min(CHUNK_BYTES, size - done))):
            digest.update(chunk)
            done += len(chunk)
            progress.update(done)
    return digest.hexdigest()


def _drop_cache(descriptor: int) -> None:
    """Make the kernel drop its cached pages of the file."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
