"""Unpack the downloaded image of Raspberry Pi OS into a sparse file."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from edge.common.errors import UserError
from sdcard.disk_image.sparse_files import CHUNK_BYTES, write_sparsely
from sdcard.progress import Progress


class Readable(Protocol):
    """An open image."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, or no bytes at the end of the image."""


def unpack(source: Path, target: Path) -> None:
    """Write the image in `source` (.img, .img.xz, .img.gz, or .zip) to `target`.

    Raises UserError if `source` is damaged or incomplete.
    """
    try:
        with _open(source) as (image, position), target.open("wb") as out:
            with Progress("Unpacking", source.stat().st_size) as progress:
                while chunk := image.read(CHUNK_BYTES):
                    write_sparsely(out, chunk)
                    progress.update(position())
            out.truncate(out.tell())
    except OSError as error:
        raise UserError(f"cannot unpack {source}: {error.strerror or error}") from None
    except (lzma.LZMAError, zlib.error, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{source} is damaged or incomplete: download it again ({error})") from None


@contextmanager
def _open(source: Path) -> Iterator[tuple[Readable, Callable[[], int]]]:
    """Yield the image, and a function that returns how many bytes of `source` have been read."""
    with source.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        if head == b"\xfd7zXZ\x00":
            with lzma.open(raw) as image:
                yield image, raw.tell
        elif head[:2] == b"\x1f\x8b":
            with gzip.open(raw) as image:
                yield image, raw.tell
        elif head[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(raw) as archive:
                names = [name for name in archive.namelist() if name.endswith(".img")]
                if len(names) != 1:
                    raise UserError(f"{source} contains {len(names)} images; it must contain one")
                with archive.open(names[0]) as image:
                    yield image, raw.tell
        else:
            yield raw, raw.tell
