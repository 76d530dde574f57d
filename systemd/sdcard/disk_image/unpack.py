"""The image of Raspberry Pi OS as it is downloaded, unpacked into a file with holes."""

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
    """What an image is read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


def unpack(source: Path, target: Path) -> None:
    """Write the image in `source` (.img, .img.xz, .img.gz or .zip) to `target`.

    Raises UserError when it cannot be read to its end.
    """
    try:
        with _open(source) as (image, position), target.open("wb") as out:
            with Progress("Unpacking", source.stat().st_size) as progress:
                while chunk := image.read(CHUNK_BYTES):
                    write_sparsely(out, chunk)
                    progress.at(position())
            out.truncate(out.tell())
    except OSError as error:
        raise UserError(f"cannot unpack {source}: {error.strerror or error}") from None
    except (lzma.LZMAError, zlib.error, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{source} is damaged or cut off: download it again ({error})") from None


@contextmanager
def _open(source: Path) -> Iterator[tuple[Readable, Callable[[], int]]]:
    """The image within, and how much of the file has been read."""
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
                    raise UserError(f"{source} holds {len(names)} images; give it one .img")
                with archive.open(names[0]) as image:
                    yield image, raw.tell
        else:
            yield raw, raw.tell
