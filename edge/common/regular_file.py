"""Reading files where another account may create files and links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of `path`, which must be a regular file of at most `max_bytes`.

    Neither the file nor its folder may be a symbolic link: whoever can create files in the folder
    could otherwise make root read any file, or wait for ever at a FIFO. Raises OSError.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # O_NONBLOCK: to open a FIFO would block until another program opens it as well.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(path.name, flags, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        with os.fdopen(file, "rb", closefd=False) as opened:
            content = opened.read(max_bytes + 1)
    finally:
        os.close(file)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {max_bytes} bytes", str(path))
    return content


def follow_own_link(path: Path) -> Path:
    """Return the target of `path` if it is a symbolic link of this process's account, else `path`.

    The administrator may have made such a link; no other account can, even if it can create files
    in the folder. The target is returned as it is written in the link, relative to its folder.
    Raises OSError if `path` cannot be examined.
    """
    link = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(link)
        # Another name of a link may have been created by another account.
        is_own = found.st_uid == os.geteuid() and found.st_nlink == 1
        if not stat.S_ISLNK(found.st_mode) or not is_own:
            return path
        # Of the link that was examined: `path` may be another one by now.
        return path.parent / os.readlink("", dir_fd=link)
    finally:
        os.close(link)
