"""Files that this account may not use: whose they are, and what to do.

SQLite reports such a file as "disk I/O error" or "unable to open database file", which sounds like
a broken disk. It is usually a file that another user created, for example root with `sudo`.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path

#: Folders in `/` with nothing that may be given to another user.
SYSTEM_FOLDERS = ("bin", "boot", "dev", "etc", "lib", "proc", "sbin", "sys", "usr")
#: Folders whose own folders belong to the system or to one user each, such as /var/lib.
PARENTS_OF_SHARED = (["var"], ["home"], ["media"], ["run"])


def access_problem(paths: Sequence[Path]) -> str | None:
    """Return why this account may not read and write one of `paths`, or create it.

    The reason names the file or folder, its owner, and a command that helps. Returns None if the
    permissions allow everything, or if the file system is read-only. Raises nothing.
    """
    denied = [path for path in paths if _is_file(path) and not _allowed(path, os.R_OK | os.W_OK)]
    if denied:
        return _file_problem(denied)
    for path in paths:
        folder = _nearest_folder(path)
        if folder is not None and not _allowed(folder, os.W_OK | os.X_OK):
            return _folder_problem(folder, path.absolute().parent)
    return None


def read_problem(path: Path) -> str | None:
    """Return why this account may not read the file or folder `path`, or None if it may.

    The reason names the file or folder that forbids it, and its owner. It proposes no change of
    that owner, because files that are only read may belong to anyone. Raises nothing.
    """
    folder = _nearest_folder(path)
    if folder is not None and not _allowed(folder, os.X_OK):
        forbidding = folder
    elif not _allowed(path, os.R_OK):
        forbidding = path
    else:
        return None
    return (
        f"{forbidding} belongs to the user {_user(forbidding.stat().st_uid)}, and the user"
        f" {_user(os.geteuid())} may not read it; copy what is needed to a folder that"
        f" {_user(os.geteuid())} may read"
    )


def write_problem(error: OSError) -> str:
    """Return why a file could not be written, where `error` was raised: as `access_problem` if the
    permissions forbid it, else what the system says.
    """
    named = error.filename
    denied = access_problem([Path(os.fsdecode(named))]) if isinstance(named, str | bytes) else None
    return denied or error.strerror or str(error)


def _file_problem(denied: list[Path]) -> str:
    first = denied[0]
    names = " ".join(shlex.quote(str(path)) for path in denied)
    if first.stat().st_uid == os.geteuid():
        return f"the mode of {first} forbids its owner to use it: chmod u+rw {names}"
    user = _user(os.geteuid())
    problem = (
        f"{first} belongs to the user {_user(first.stat().st_uid)}, and the user {user} may not"
        " read and write it"
    )
    if not _allowed(first.parent, os.W_OK | os.X_OK):
        return f"{problem}; {_give_folder(first.parent, user)}"
    return f"{problem}; give it to {user}: sudo chown {user} {names}"


def _folder_problem(folder: Path, wanted: Path) -> str:
    """Return the problem with `folder`, where `wanted`, itself or a folder below it, is needed."""
    quoted = shlex.quote(str(folder))
    if folder.stat().st_uid == os.geteuid():
        return f"the mode of the folder {folder} forbids its owner to use it: chmod u+rwx {quoted}"
    user = _user(os.geteuid())
    is_missing = folder != wanted and _allowed(folder, os.X_OK)
    create = f"create {wanted}: sudo install -d -o {user} {shlex.quote(str(wanted))}"
    return (
        f"the folder {folder} belongs to the user {_user(folder.stat().st_uid)}, and the user"
        f" {user} may not write to it; {create if is_missing else _give_folder(folder, user)}"
    )


def _give_folder(folder: Path, user: str) -> str:
    if _is_shared(folder):
        return f"choose a place in a folder that belongs to {user}"
    return (
        f"if only Mask Patrol uses this folder, give it to {user}:"
        f" sudo chown -R {user} {shlex.quote(str(folder))}"
    )


def _is_shared(folder: Path) -> bool:
    """Return whether `folder` belongs to the system or is a home, so that its files must keep their
    owners.
    """
    _, *names = folder.absolute().parts
    return len(names) <= 1 or names[0] in SYSTEM_FOLDERS or names[:-1] in PARENTS_OF_SHARED


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _nearest_folder(path: Path) -> Path | None:
    """Return the folder of `path`, or the nearest one above it that can be examined."""
    for folder in path.absolute().parents:
        try:
            if stat.S_ISDIR(folder.stat().st_mode):
                return folder
        except OSError:
            continue
    return None


def _allowed(path: Path, mode: int) -> bool:
    try:
        read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        return bool(read_only) or os.access(path, mode, effective_ids=True)
    except OSError:
        return True


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return str(uid)
