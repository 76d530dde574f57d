"""Writing a file of root's as a whole, without following a link in its place."""

from __future__ import annotations

import grp
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from edge.common.errors import UserError
from edge.common.sync_folder import sync_folder
from edge.common.text_files import NOT_UTF8


def write_file(path: Path, content: str, mode: int = 0o644, group: int | None = None) -> bool:
    """Make `content` the content of `path`; return whether it was another one before.

    The file is replaced under its name, with its mode and the number of its group, and is on the
    disk when this returns. Whatever had its name before, such as a link, is not followed. Raises
    UserError if the file cannot be written.
    """
    try:
        with suppress(FileNotFoundError):
            is_file = path.is_file() and not path.is_symlink()
            if is_file and path.read_text(encoding="utf-8", errors="replace") == content:
                return False
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                if group is not None and os.geteuid() == 0:
                    os.fchown(descriptor, 0, group)
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    except UnicodeEncodeError:  # of bytes in arguments that are not UTF-8
        raise UserError(f"cannot write {path}: {NOT_UTF8}") from None
    return True


def make_folder(path: Path, mode: int, group: int | None = None) -> None:
    """Create the folder `path` if it is missing, with its mode and the number of its group.

    Raises UserError if it cannot be created.
    """
    try:
        if not path.is_dir():
            path.mkdir(mode=mode)
            path.chmod(mode)  # whatever the umask is
            if group is not None and os.geteuid() == 0:
                os.chown(path, 0, group)
    except OSError as error:
        raise UserError(f"cannot create {path}: {error.strerror}") from None


def group_number(name: str) -> int:
    """Return the number of a group; raises UserError if there is no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UserError(f"there is no group {name}: sudo apt install {name}") from None
