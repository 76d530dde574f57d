"""The system's programs for file systems, called with their errors told as ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from edge.common.errors import UserError

#: Which Debian package a program comes from.
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
#: Users' PATH often lacks where these lie.
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find(program: str) -> str:
    """The path of `program`; raises UserError with the package to install."""
    where = os.pathsep.join((os.environ.get("PATH", ""), *SBIN))
    if found := shutil.which(program, path=where):
        return found
    package = PACKAGES.get(program, program)
    raise UserError(f"{program} is not here: sudo apt install {package}")


def run(
    program: str,
    *arguments: str | Path,
    accept: Sequence[int] = (0,),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """What `program` writes to its output; raises UserError with what it says when it fails.

    `accept` are exit codes that count as success, `environment` is added to ours. Its messages
    are in English.
    """
    return _done(program, arguments, accept, environment).stdout


def complaints(program: str, *arguments: str | Path) -> list[str]:
    """The lines that `program` writes as errors, for one that fails without an exit code."""
    return _done(program, arguments, (0,)).stderr.splitlines()


def _done(
    program: str,
    arguments: Sequence[str | Path],
    accept: Sequence[int],
    further: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1", **further}
    done = subprocess.run(
        [find(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    if done.returncode not in accept:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise UserError(f"{program} failed ({done.returncode}): {said[-500:]}")
    return done
