"""`make image`: an official image of Raspberry Pi OS with everything that a site needs."""

from __future__ import annotations

import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UserError
from sdcard.card_files import command_line_with, etc_entries, kit_entries
from sdcard.debian_packages import download, missing_packages, wanted_packages
from sdcard.disk_image.data_partition import add_data_partition
from sdcard.disk_image.entries import Entry, size_of
from sdcard.disk_image.ext4 import Ext4
from sdcard.disk_image.fat import Fat
from sdcard.disk_image.partition_table import read_layout, set_root_size
from sdcard.disk_image.unpack import unpack
from sdcard.programs import find
from sdcard.site import Site

#: Free space that the first boot needs: what the installer requires for a release, the unpacked
#: bundle, and a margin. Raspberry Pi OS grows the root at its first boot, but the installation must
#: not depend on that.
FREE_BYTES = 700 << 20
MEBI = 1 << 20
RELEASES = {"bookworm": "cp311", "trixie": "cp313"}
PROGRAMS = (
    "debugfs", "dumpe2fs", "e2fsck", "mkfs.ext4", "resize2fs", "fsck.vfat", "mcopy", "mdir",
)  # fmt: skip


@dataclass(frozen=True)
class MadeImage:
    """The result of `make_image`; `debs` is the number of Debian packages in it."""

    image: Path
    release: str
    size_bytes: int
    debs: int


def make_image(base: Path, site: Site, bundle: Path, out: Path) -> MadeImage:
    """Write the image `out`: the image `base`, with `bundle` and the files of `site` added.

    `out` is replaced only when the image is complete. Only its owner may read it, as it contains
    secrets. Raises UserError.
    """
    for program in PROGRAMS:
        find(program)
    require_bundle(bundle)
    if not base.is_file():
        raise UserError(f"there is no image {base}: download Raspberry Pi OS Lite (64-bit)")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".mask-patrol-", dir=out.parent) as scratch:
        image = Path(scratch) / "image"
        unpack(base, image)
        try:
            made = _add_files(image, site, bundle, Path(scratch))
        except UserError as error:
            raise UserError(str(error).replace(str(image), str(base))) from None
        image.chmod(0o600)
        _fsync(image)
        image.replace(out)
    return MadeImage(out, made.release, made.size_bytes, made.debs)


def require_bundle(bundle: Path) -> None:
    """Raise UserError unless `bundle` is a bundle that `make bundle` made."""
    try:
        with tarfile.open(bundle) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
    except (OSError, tarfile.TarError) as error:
        raise UserError(f"{bundle} is not a bundle: make bundle makes one ({error})") from None
    if missing := {"install.sh", "SHA256SUMS", "MACHINE"} - set(names):
        raise UserError(f"{bundle} is not a bundle: it lacks {', '.join(sorted(missing))}")


def release_of(root: Ext4) -> str:
    """Return `bookworm` or `trixie`; raises UserError for any other system on the image."""
    text = (root.read("/etc/os-release") or b"").decode(errors="replace")
    found = re.search(r'^VERSION_CODENAME="?(\w+)"?$', text, re.MULTILINE)
    name = found[1] if found else "unknown"
    if name not in RELEASES:
        raise UserError(
            f"{root.image} contains {name}; this needs Raspberry Pi OS Lite"
            f" {' or '.join(name.title() for name in RELEASES)}"
        )
    if not root.exists("/usr/lib/aarch64-linux-gnu"):
        raise UserError("this is a 32-bit image: use Raspberry Pi OS Lite (64-bit)")
    return name


def _add_files(image: Path, site: Site, bundle: Path, scratch: Path) -> MadeImage:
    layout = read_layout(image)
    if layout.data is not None:
        raise UserError(f"{image} has a data partition already: use an official image")
    boot, root = Fat(image, layout.boot), Ext4(image, layout.root.start_bytes)
    boot.require_boot_files()
    root.require_clean()
    release = release_of(root)
    boot_was_sound = boot.is_sound()
    debs = _debs(root, site, scratch)
    data_mebi = site.file.storage.data_mib
    entries: list[Entry] = [
        *etc_entries(site, root.read("/etc/hosts")),
        *kit_entries(site, bundle, debs),
    ]
    lacking = size_of(entries) + FREE_BYTES - root.free_bytes()
    if lacking > 0:
        # A larger file system has more metadata: add a sixteenth of the lacking space for it.
        grown = -(-(layout.root.size_bytes + lacking + lacking // 16) // MEBI) * MEBI
        root.grow(grown)
        layout = set_root_size(image, layout, grown)
    if data_mebi:
        layout = add_data_partition(image, layout, data_mebi)
        root = Ext4(image, layout.root.start_bytes)
    _print("Writing the files …")
    root.write(entries)
    line = (boot.read("cmdline.txt") or b"").decode(errors="replace")
    boot.write("cmdline.txt", command_line_with(line, site.file.wifi.country).encode())
    _print("Checking the file systems …")
    root.check()
    if layout.data is not None:
        Ext4(image, layout.data.start_bytes).check()
    if boot_was_sound:
        boot.check()
    else:  # the base image already had these errors
        _print(
            "fsck.vfat finds errors in the boot partition of the base image;"
            " the card usually works anyway."
        )
    return MadeImage(image, release, image.stat().st_size, len(debs))


def _debs(root: Ext4, site: Site, scratch: Path) -> Sequence[Path]:
    wanted = wanted_packages(site.file.daemon.camera.source, site.file.packages)
    missing = missing_packages(root, wanted)
    if not missing:
        return ()
    _print(f"Downloading the packages {' '.join(missing)} …")
    folder = scratch / "apt"
    folder.mkdir()
    return download(root, missing, folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
