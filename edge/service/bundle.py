"""A bundle as `make bundle` makes it: checked while it is read, and unpacked as far as needed.

Its checksums tell damage, not forgery: a bundle is trusted as much as where it came from.
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

from edge.common.errors import UsageError, UserError

SUMS, VERSION, MACHINE = "SHA256SUMS", "VERSION", "MACHINE"
CHUNK_BYTES = 1 << 20
#: Of the files that are read as a whole.
MAX_TEXT_BYTES = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """An unpacked bundle: its folder, its version, and the machine that it is for."""

    folder: Path
    version: str
    machine: str


def unpack(path: Path, into: Path, python: str | None = None) -> Bundle:
    """Check all of the bundle `path` and unpack it into the empty folder `into`, but for the
    wheels of other Pythons than `python` (as in `cp311`; default: this one).

    Raises UsageError for what is no bundle, UserError for a damaged one or a full disk.
    """
    python = python or f"cp{sys.version_info[0]}{sys.version_info[1]}"
    found: dict[str, str] = {}
    try:
        with tarfile.open(path) as archive:
            for name, member in _members(archive, path):
                wanted = not name.startswith("wheels/") or name.startswith(f"wheels/{python}/")
                found[name] = _take(archive, member, into / name if wanted else None)
    except OSError as error:
        raise UsageError(f"cannot read the bundle {path}: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{path} is no bundle, or damaged: {error}") from None
    if SUMS not in found:
        raise UsageError(f"{path} is no bundle of mask-patrol: it holds no {SUMS}")
    _compare(path, _listed(into / SUMS), found)
    if not any(name.startswith(f"wheels/{python}/") for name in found):
        raise UserError(f"{path} has no wheels for this Python ({python})")
    return Bundle(into, _word(into / VERSION), _word(into / MACHINE))


def _members(archive: tarfile.TarFile, path: Path) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """The files, by their names below the one top folder; nothing may lie outside of it."""
    for member in archive:
        parts = PurePosixPath(member.name).parts
        inside = parts and parts[0] not in ("/", "..") and ".." not in parts
        if not inside or not (member.isfile() or member.isdir()):
            raise UserError(f"{path} is no bundle of mask-patrol: it holds {member.name!r}")
        if member.isfile() and len(parts) > 1:
            yield "/".join(parts[1:]), member


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, to: Path | None) -> str:
    """The digest of a file; written to `to` on the way, if there is such."""
    digest = hashlib.sha256()
    source = archive.extractfile(member)
    assert source is not None, "a regular file"
    with source, _written(member, to) as write:
        while block := source.read(CHUNK_BYTES):
            digest.update(block)
            write(block)
    return digest.hexdigest()


@contextmanager
def _written(member: tarfile.TarInfo, to: Path | None) -> Iterator[Callable[[bytes], None]]:
    """What takes the content of a file; raises UserError when the disk does not."""
    if to is None:
        yield lambda _block: None
        return
    with _this_disk(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        out = to.open("wb", buffering=0)

    def write(block: bytes) -> None:
        rest = memoryview(block)
        with _this_disk(to):
            while rest:
                rest = rest[out.write(rest) :]

    with out:
        yield write
    with _this_disk(to):
        to.chmod(0o755 if member.mode & 0o100 else 0o644)


@contextmanager
def _this_disk(to: Path) -> Iterator[None]:
    """It is not the bundle's fault."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot unpack the bundle to {to}: {error.strerror or error}") from None


def _listed(sums: Path) -> dict[str, str]:
    """The digest of each file that the bundle says it holds."""
    if sums.stat().st_size > MAX_TEXT_BYTES:
        return {}
    lines = sums.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line) for line in lines]
    return {pair[2]: pair[1] for pair in pairs if pair is not None}


def _compare(path: Path, listed: dict[str, str], found: dict[str, str]) -> None:
    """Raises UserError unless each file is there and is what it should be, and no other is."""
    found = {name: digest for name, digest in found.items() if name != SUMS}
    for name in sorted(listed.keys() | found.keys()):
        if listed.get(name) != found.get(name):
            what = "lacks" if name not in found else "holds a damaged"
            raise UserError(f"the bundle {path} {what} {name}: copy it here again")
    for name in (VERSION, MACHINE, "install.sh"):
        if name not in found:
            raise UserError(f"the bundle {path} lacks {name}: copy it here again")


def _word(file: Path) -> str:
    """What a one-line file says; raises UserError unless it is one harmless word."""
    text = ""
    with suppress(UnicodeDecodeError):
        text = file.read_text(encoding="ascii").strip()
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", text) is None:
        raise UserError(f"the bundle's {file.name} is no such thing: {text!r}")
    return text
