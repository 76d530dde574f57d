"""`make flash`: write an image onto a card, and read it back."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from edge.errors import UserError
from sdcard.disks import Disk, System, find_disk, require_writable
from sdcard.partitions import read_layout
from sdcard.progress import Progress

CHUNK_BYTES = 4 << 20


def flash(
    image: Path,
    device: Path,
    ask: Callable[[str], bool],
    system: System = System(),  # noqa: B008 - frozen
) -> None:
    """Write `image` to `device` when `ask` says yes to what it is told, and verify it.

    Raises UserError when the disk must not be written to, nobody agrees, or the card does not
    hold what was written.
    """
    if not image.is_file():
        raise UserError(f"there is no {image}: make image makes one")
    read_layout(image)
    size = image.stat().st_size
    disk = find_disk(device, system)
    require_writable(disk, size, system)
    if not ask(describe(disk, image)):
        raise UserError("nothing was written")
    try:
        written = _write(image, disk)
        read = _read_back(disk, size)
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


def describe(disk: Disk, image: Path) -> str:
    """What is about to be lost, in a line."""
    return (
        f"{disk.path}: {disk.model}, {disk.size_bytes / 1e9:.1f} GB. EVERYTHING ON IT WILL BE LOST;"
        f" {image.name} is written to it."
    )


def ask_on_terminal(what: str) -> bool:
    """Show `what` and wait for a `yes`; without a terminal, nobody says it."""
    sys.stderr.write(f"{what}\n")
    if not sys.stdin.isatty():
        sys.stderr.write("Nobody is there to ask; --yes says yes in advance.\n")
        return False
    sys.stderr.write("Go on? Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def _write(image: Path, disk: Disk) -> str:
    """Write all of it; its digest."""
    digest = hashlib.sha256()
    # Exclusively: the kernel refuses when somebody has mounted it in the meantime.
    flags = os.O_WRONLY | os.O_EXCL if disk.path.is_block_device() else os.O_WRONLY
    descriptor = os.open(disk.path, flags)
    with (
        image.open("rb") as source,
        os.fdopen(descriptor, "wb", buffering=0) as target,
        Progress("Writing  ", image.stat().st_size) as progress,
    ):
        done = 0
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            view = memoryview(chunk)
            while view:
                view = view[target.write(view) :]
            done += len(chunk)
            os.fdatasync(descriptor)  # or the progress would be that of memory
            progress.at(done)
        os.fsync(descriptor)
        _forget(descriptor)
    return digest.hexdigest()


def _read_back(disk: Disk, size: int) -> str:
    """The digest of the first `size` bytes, from the card and not from memory."""
    digest = hashlib.sha256()
    with disk.path.open("rb", buffering=0) as source, Progress("Verifying", size) as progress:
        _forget(source.fileno())
        done = 0
        while done < size and (chunk := source.read(min(CHUNK_BYTES, size - done))):
            digest.update(chunk)
            done += len(chunk)
            progress.at(done)
    return digest.hexdigest()


def _forget(descriptor: int) -> None:
    """Let the kernel drop what it remembers of a file."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
