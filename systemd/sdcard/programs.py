"""Run the system's programs for disks and file systems; their failures become UserErrors."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from edge.common.errors import UserError

#: The Debian package of each program.
PACKAGES = {
    "apt-get": "apt",
    "blkid": "util-linux",
    "debugfs": "e2fsprogs",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "fsck.vfat": "dosfstools",
    "mkfs.ext4": "e2fsprogs",
    "mcopy": "mtools",
    "mdir": "mtools",
    "mmd": "mtools",
    "mdel": "mtools",
}
#: Folders that contain these programs, and that are often not in the PATH of a normal user.
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find(program: str) -> str:
    """Return the path of `program`; raises UserError with the package to install."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *SBIN))
    if found := shutil.which(program, path=path):
        return found
    package = PACKAGES.get(program, program)
    raise UserError(f"{program} is not installed: sudo apt install {package}")


def run(
    program: str,
    *arguments: str | Path,
    accept: Sequence[int] = (0,),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run `program` and return its standard output.

    `accept` are the exit codes that count as success; `environment` is added to that of this
    process. The program prints its messages in English. Raises UserError with the
    program's message if the program fails.
    """
    return _run(program, arguments, accept, environment).stdout


def run_for_errors(program: str, *arguments: str | Path) -> list[str]:
    """Run `program` and return the lines of its standard error.

    This is for programs that report errors there although their exit code is 0.
    """
    return _run(program, arguments, (0,)).stderr.splitlines()


def _run(
    program: str,
    arguments: Sequence[str | Path],
    accept: Sequence[int],
    further: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1", **further}
    result = subprocess.run(
        [find(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    if result.returncode not in accept:
        message = " ".join((result.stderr.strip() or result.stdout.strip()).split())
        raise UserError(f"{program} failed ({result.returncode}): {message[-500:]}")
    return result
