"""Unpack a bundle that `make bundle` or `make release` made, and verify its checksums.

The checksums detect damage. They detect forgery only if their signature is verified, too: see
`edge.service.release_key`.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge.common.errors import UsageError, UserError, first_line

SUMS, VERSION, MACHINE, INSTALLER = "SHA256SUMS", "VERSION", "MACHINE", "install.sh"
#: The signature of SHA256SUMS is beside the folder of the bundle, with this suffix: earlier
#: releases, which refuse unlisted files in the folder, install a signed bundle, too.
SIGNATURE_SUFFIX = ".sig"
CHUNK_BYTES = 1 << 20
#: Largest accepted SHA256SUMS or signature, which are read as a whole.
MAX_TEXT_BYTES = 1 << 20
#: Exceptions that `tarfile` raises for a damaged archive, in addition to OSError.
ARCHIVE_ERRORS = (
    tarfile.TarError,
    EOFError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Bundle:
    """An unpacked bundle: its folder, its version, and the architecture that it is for."""

    folder: Path
    version: str
    machine: str


@dataclass(frozen=True)
class Checksums:
    """The content of SHA256SUMS, and its signature by ssh-keygen; None if there is none."""

    text: bytes
    signature: bytes | None


def read_checksums(path: Path) -> Checksums:
    """Return the checksums in the bundle `path`, without verifying them.

    Raises UsageError if the file cannot be read or is not a bundle, UserError if it is damaged.
    """
    text: bytes | None = None
    signature: bytes | None = None
    with _archive(path) as archive:
        for parts, member in _members(archive, path):
            if parts[1:] == (SUMS,):
                text = _read_text(archive, member, path)
            elif len(parts) == 1 and parts[0].endswith(SIGNATURE_SUFFIX):
                signature = _read_text(archive, member, path)
        _require_end(archive, path)
    if text is None:
        raise UsageError(f"{path} is not a bundle of mask-patrol: it has no {SUMS}")
    return Checksums(text, signature)


def unpack(
    path: Path, into: Path, python: str | None = None, checksums: Checksums | None = None
) -> Bundle:
    """Unpack the bundle `path` into the empty folder `into`, and verify it.

    Each file must have its digest in `checksums` (default: those in the bundle). Wheels for other
    Pythons than `python` (such as `cp311`; default: the running one) are verified but not unpacked.

    Raises UsageError if the file cannot be read or is not a bundle, UserError if it is damaged or
    the disk is full.
    """
    python = python or f"cp{sys.version_info[0]}{sys.version_info[1]}"
    checksums = checksums or read_checksums(path)
    found: dict[str, str] = {}
    with _archive(path) as archive:
        for parts, member in _members(archive, path):
            name = "/".join(parts[1:])
            # The bundle may have changed since its checksums were read: these are the ones to use.
            if not name or name == SUMS:
                continue
            wanted = not name.startswith("wheels/") or name.startswith(f"wheels/{python}/")
            found[name] = _extract(archive, member, into / name if wanted else None)
    with _writer(into / SUMS) as write:
        write(checksums.text)
    _require_checksums(path, _parse_checksums(checksums.text), found)
    if not any(name.startswith(f"wheels/{python}/") for name in found):
        raise UserError(f"{path} has no wheels for this Python ({python})")
    return Bundle(into, _read_word(into / VERSION), _read_word(into / MACHINE))


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    """Open the bundle `path`.

    Raises UsageError if it cannot be read, and UserError if it is not an archive, or a damaged one.
    """
    try:
        # A bundle is not compressed; a compressed archive could have any size when unpacked.
        with tarfile.open(path, "r:") as archive:
            yield archive
    except OSError as error:
        raise UsageError(f"cannot read the bundle {path}: {error.strerror or error}") from None
    except ARCHIVE_ERRORS as error:
        raise UserError(f"{path} is not a bundle, or is damaged: {first_line(error)}") from None


def _members(
    archive: tarfile.TarFile, path: Path
) -> Iterator[tuple[tuple[str, ...], tarfile.TarInfo]]:
    """Yield the files with the parts of their paths, of which the first is the top folder.

    Raises UserError for a path outside the archive's folder, for links and devices, and for a
    sparse file, which can be larger than the archive.
    """
    for member in archive:
        # With a negative size, `tarfile` goes back and yields the same members forever.
        if member.size < 0 or member.issparse():
            raise UserError(f"{path} is not a bundle, or is damaged: {member.name!r} has no size")
        parts = PurePosixPath(member.name).parts
        inside = parts and parts[0] not in ("/", "..") and ".." not in parts
        if not inside or not (member.isfile() or member.isdir()):
            raise UserError(f"{path} is not a bundle of mask-patrol: it contains {member.name!r}")
        if member.isfile():
            yield parts, member


def _require_end(archive: tarfile.TarFile, path: Path) -> None:
    """Raise UserError unless zeros fill the last record after the last member, and nothing follows.

    `tarfile` takes the end of the file, and a damaged header, for the end of the archive.
    """
    marker_bytes = 2 * tarfile.BLOCKSIZE
    rest_bytes = marker_bytes + -(archive.offset + marker_bytes) % tarfile.RECORDSIZE
    file = archive.fileobj
    assert file is not None, "an open archive"
    file.seek(archive.offset)
    if file.read(rest_bytes + 1) != bytes(rest_bytes):
        raise UserError(f"the bundle {path} is incomplete or damaged: copy it here again")


def _read_text(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    """Return the content of a small file in the archive."""
    if member.size > MAX_TEXT_BYTES:
        raise UserError(f"{path} is not a bundle, or is damaged: {member.name!r} is too large")
    source = archive.extractfile(member)
    assert source is not None, "a regular file"
    with source:
        return source.read()


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path | None) -> str:
    """Return the SHA-256 of a file in the archive; if `target` is given, write the file there."""
    digest = hashlib.sha256()
    source = archive.extractfile(member)
    assert source is not None, "a regular file"
    with source, _writer(target) as write:
        while block := source.read(CHUNK_BYTES):
            digest.update(block)
            write(block)
    return digest.hexdigest()


@contextmanager
def _writer(target: Path | None) -> Iterator[Callable[[bytes], None]]:
    """Yield a function that writes a block to `target`; it does nothing if `target` is None.

    The function raises UserError if the block cannot be written.
    """
    if target is None:
        yield lambda _block: None
        return
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        out = target.open("wb", buffering=0)

    def write(block: bytes) -> None:
        rest = memoryview(block)
        with _disk_errors(target):
            while rest:
                rest = rest[out.write(rest) :]

    with out:
        yield write
    with _disk_errors(target):
        # The checksums do not cover the modes in the archive.
        target.chmod(0o755 if target.name == INSTALLER else 0o644)


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Report an error of this device's disk as such, not as an error of the bundle."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot unpack the bundle to {target}: {reason}") from None


def _parse_checksums(text: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file by name, as SHA256SUMS lists them."""
    lines = text.decode("utf-8", errors="replace").splitlines()
    pairs = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in lines]
    return {pair[2]: pair[1] for pair in pairs if pair is not None}


def _require_checksums(path: Path, listed: dict[str, str], found: dict[str, str]) -> None:
    """Raise UserError if a file is missing, damaged, or not listed."""
    for name in sorted(listed.keys() | found.keys()):
        if listed.get(name) != found.get(name):
            problem = "lacks" if name not in found else "has a damaged"
            shown = name if name.isprintable() else ascii(name)
            raise UserError(f"the bundle {path} {problem} {shown}: copy the bundle here again")
    for name in (VERSION, MACHINE, INSTALLER):
        if name not in found:
            raise UserError(f"the bundle {path} lacks {name}: copy the bundle here again")


def _read_word(file: Path) -> str:
    """Return the content of a one-line file.

    Raises UserError unless it is one word that is safe as the name of a folder.
    """
    text = ""
    with suppress(UnicodeDecodeError):
        text = file.read_text(encoding="ascii").strip()
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", text) is None:
        raise UserError(f"invalid {file.name} in the bundle: {text!r}")
    return text
