"""`make flash`: write an image onto a card, and read it back."""

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
from sdcard.disk_warnings import doubts_about
from sdcard.disks import Disk, System, find_disk, require_writable
from sdcard.progress import Progress

CHUNK_BYTES = 4 << 20
#: What is asked for, unless there are doubts: then it is the disk's model.
YES = "yes"
#: udev looks at a disk for a moment.
LOCK_S = 10.0


def flash(
    image: Path,
    device: Path,
    ask: Callable[[str, str], bool],
    system: System = System(),  # noqa: B008 - frozen
) -> None:
    """Write `image` to `device` when `ask` agrees, and verify it.

    `ask` is given what is about to be lost, and the word that has to be typed for it.

    Raises UserError when the disk must not be written to, nobody agrees, or the card does not
    hold what was written.
    """
    if not image.is_file():
        raise UserError(f"there is no {image}: make image makes one")
    read_layout(image)
    size = image.stat().st_size
    disk = find_disk(device, system)
    require_writable(disk, size, system)
    doubts = doubts_about(disk, system)
    if not ask(describe(disk, image, doubts), disk.model if doubts else YES):
        raise UserError("nothing was written")
    # Somebody may have taken hours to answer, and changed the card meanwhile.
    if find_disk(device, system) != disk:
        raise UserError(f"{disk.path} is another disk now; nothing was written")
    require_writable(disk, size, system)
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
            f"{disk.path} does not hold what was written: the card is broken, or not as large as"
            " it says; take another"
        )
    sys.stderr.write(f"{disk.path} holds {image.name}, verified. It can be taken out.\n")


def describe(disk: Disk, image: Path, doubts: Sequence[str] = ()) -> str:
    """What is about to be lost, in a line, and a line for each doubt."""
    lost = (
        f"{disk.path}: {disk.model}, {disk.size_bytes / 1e9:.1f} GB. EVERYTHING ON IT WILL BE LOST;"
        f" {image.name} is written to it."
    )
    return "\n".join([lost, *(f"Is that your card? {doubt}." for doubt in doubts)])


def ask_on_terminal(what: str, word: str) -> bool:
    """Show `what` and wait for `word`; without a terminal, nobody says it."""
    sys.stderr.write(f"{what}\n")
    if not sys.stdin.isatty():
        sys.stderr.write("Nobody is there to ask")
        sys.stderr.write("; --yes says yes in advance.\n" if word == YES else ".\n")
        return False
    sys.stderr.write(f"Go on? Type {word}: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == word.lower()


def agree(what: str, word: str) -> bool:
    """For --yes: shows `what`, and asks nonetheless where a yes is not enough."""
    if word != YES:
        return ask_on_terminal(what, word)
    sys.stderr.write(f"{what}\n")
    return True


def _open(disk: Disk) -> int:
    """A descriptor to write and to read by, which keeps others away until it is closed.

    O_EXCL: the kernel refuses when somebody has mounted it, and lets nobody mount it. The lock:
    udev does not look at it, so no desktop offers what is on it.
    """
    exclusively = os.O_EXCL if disk.path.is_block_device() else 0
    descriptor = os.open(disk.path, os.O_RDWR | exclusively)
    try:
        if os.fstat(descriptor).st_rdev != disk.number:
            raise UserError(f"{disk.path} is another disk now; nothing was written")
        until = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise UserError(f"another program has locked {disk.path}") from None
                time.sleep(0.1)
            else:
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise


def _write(image: Path, descriptor: int) -> str:
    """Write all of it; its digest."""
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
            os.fdatasync(descriptor)  # or the progress would be that of memory
            progress.at(done)
        os.fsync(descriptor)
    return digest.hexdigest()


def _read_back(descriptor: int, size: int) -> str:
    """The digest of the first `size` bytes, from the card and not from memory."""
    digest = hashlib.sha256()
    _forget(descriptor)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with Progress("Verifying", size) as progress:
        done = 0
        while done < size and (chunk := os.read(descriptor, min(CHUNK_BYTES, size - done))):
            digest.update(chunk)
            done += len(chunk)
            progress.at(done)
    return digest.hexdigest()


def _forget(descriptor: int) -> None:
    """Let the kernel drop what it remembers of a file."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
