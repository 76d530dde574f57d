"""Write a wheel so that its bytes depend only on the names and the contents of its files."""

from __future__ import annotations

import stat
import time
import zipfile
from pathlib import Path

MODE = stat.S_IFREG | 0o644
UNIX = 3


def normalise_wheel(wheel: Path, epoch_s: int) -> None:
    """Write `wheel` again, sorted, uncompressed, and with the time `epoch_s` for each file.

    The build takes the modes from the checkout, which depend on the umask, and the compression from
    the zlib of this machine.
    """
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        # The format of wheels recommends the metadata at the end.
        for name in sorted(files, key=lambda name: (".dist-info/" in name, name)):
            entry = zipfile.ZipInfo(name, time.gmtime(epoch_s)[:6])
            entry.create_system = UNIX
            entry.external_attr = MODE << 16
            archive.writestr(entry, files[name])
