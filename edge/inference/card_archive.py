"""The zip archive with the card, which is appended to the flatbuffer of a model file.

This is the "associated files" convention of TFLite: the flatbuffer comes first, runtimes ignore
what follows it, and any unzip tool can read the archive. A damaged archive must not crash or fill
the memory, so only archives as `attach_files` writes them are read: a few small files that are
stored without compression.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UserError, printable

#: Bounds of an archive: a card has two files of a few kilobytes.
MAX_FILES, MAX_FILE_BYTES, MAX_DIRECTORY_BYTES = 8, 1 << 20, 1 << 12
#: The end of a zip archive without a comment: a signature, four counts of disks and entries, size
#: and offset of the directory, and the length of the comment.
END_OF_ARCHIVE = struct.Struct("<4s4H2LH")
END_SIGNATURE = b"PK\5\6"
#: The record that precedes the end of an archive in the 64-bit format, and its size.
LOCATOR_64_SIGNATURE, LOCATOR_64_BYTES = b"PK\6\7", 20
ENCRYPTED = 0x1
#: Exceptions that `zipfile` raises for a damaged archive.
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    RuntimeError,
    LookupError,
    ValueError,
    OSError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Attached:
    """The two parts of a model file: the flatbuffer, and the appended files by name."""

    model: bytes
    flatbuffer: bytes
    files: dict[str, bytes]

    def file(self, name: str, path: Path) -> bytes:
        """Return the file `name`; raises UserError, which names the model file `path`."""
        if name not in self.files:
            raise _no_card(path, f"its archive has no {name}")
        return self.files[name]

    def is_original(self) -> bool:
        """Return whether each byte of the archive is as `attach_files` writes it."""
        return attach_files(self.flatbuffer, self.files) == self.model


def attach_files(flatbuffer: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return `flatbuffer` with `files` appended; the same arguments give the same bytes."""
    buffer = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def read_attached(model: bytes, path: Path) -> Attached:
    """Return the flatbuffer and the appended files of `model`.

    Raises UserError if there is no archive, or if it is damaged or larger than the bounds of this
    module; `path` is used only in the message.
    """
    try:
        _require_bounded_directory(model)
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            entries = archive.infolist()
            files = {entry.filename: _read_file(archive, entry) for entry in entries}
    except ARCHIVE_ERRORS as error:
        raise _no_card(path, str(error)) from None
    start = min((entry.header_offset for entry in entries), default=len(model))
    return Attached(model, model[:start], files)


def _require_bounded_directory(model: bytes) -> None:
    """Raise BadZipFile unless reading the archive's directory takes little memory.

    `zipfile` reads all of it at once, whatever its size.
    """
    if len(model) < END_OF_ARCHIVE.size:
        raise zipfile.BadZipFile("File is not a zip file")
    end = END_OF_ARCHIVE.unpack(model[-END_OF_ARCHIVE.size :])
    signature, _, _, _, entries, directory_bytes, _, comment_bytes = end
    if signature != END_SIGNATURE or comment_bytes:
        raise zipfile.BadZipFile("File is not a zip file")
    before = model[: -END_OF_ARCHIVE.size][-LOCATOR_64_BYTES:]
    if (
        entries > MAX_FILES
        or directory_bytes > MAX_DIRECTORY_BYTES
        or before.startswith(LOCATOR_64_SIGNATURE)
    ):
        raise zipfile.BadZipFile("its archive is not one of `make convert`: it is too large")


def _read_file(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the content of a stored file, whose size the archive's own size therefore bounds."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename} is compressed, which `make convert` never does")
    if entry.flag_bits & ENCRYPTED or entry.file_size > MAX_FILE_BYTES:
        raise zipfile.BadZipFile(f"{entry.filename} is encrypted or larger than {MAX_FILE_BYTES} B")
    return archive.read(entry)


def _no_card(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} has no model card ({printable(reason)}); convert it with `make convert`,"
        " or use a model that ships with Mask Patrol"
    )
