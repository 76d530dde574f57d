"""`make image`: an official image of Raspberry Pi OS with everything on it that a site needs."""

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

#: What the installer wants to see free for a version, the unpacked bundle beside it, and air.
#: Raspberry Pi OS fills the card at its first boot, but nothing should depend on that.
ROOM_BYTES = 700 << 20
MEBI = 1 << 20
RELEASES = {"bookworm": "cp311", "trixie": "cp313"}
PROGRAMS = (
    "debugfs", "dumpe2fs", "e2fsck", "mkfs.ext4", "resize2fs", "fsck.vfat", "mcopy", "mdir",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What was made."""

    image: Path
    release: str
    size_bytes: int
    debs: int


def make_image(base: Path, site: Site, bundle: Path, out: Path) -> Made:
    """Write `out`: the image in `base` with `bundle` and everything of `site` on it.

    It appears whole or not at all, and only root and you may read it, as it holds secrets.
    Raises UserError.
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
            made = _furnish(image, site, bundle, Path(scratch))
        except UserError as error:
            raise UserError(str(error).replace(str(image), str(base))) from None
        image.chmod(0o600)
        _sync(image)
        image.replace(out)
    return Made(out, made.release, made.size_bytes, made.debs)


def require_bundle(bundle: Path) -> None:
    """Raises UserError unless `bundle` is what `make bundle` makes."""
    try:
        with tarfile.open(bundle) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
    except (OSError, tarfile.TarError) as error:
        raise UserError(f"{bundle} is no bundle: make bundle makes one ({error})") from None
    if missing := {"install.sh", "SHA256SUMS", "MACHINE"} - set(names):
        raise UserError(f"{bundle} is no bundle: it lacks {', '.join(sorted(missing))}")


def release_of(root: Ext4) -> str:
    """`bookworm` or `trixie`; raises UserError for whatever else is on the image."""
    text = (root.read("/etc/os-release") or b"").decode(errors="replace")
    found = re.search(r'^VERSION_CODENAME="?(\w+)"?$', text, re.MULTILINE)
    name = found[1] if found else "unknown"
    if name not in RELEASES:
        raise UserError(
            f"{root.image}: its system is {name}; it takes Raspberry Pi OS Lite"
            f" {' or '.join(name.title() for name in RELEASES)}"
        )
    if not root.exists("/usr/lib/aarch64-linux-gnu"):
        raise UserError("this is a 32-bit image: take Raspberry Pi OS Lite (64-bit)")
    return name


def _furnish(image: Path, site: Site, bundle: Path, scratch: Path) -> Made:
    layout = read_layout(image)
    if layout.data is not None:
        raise UserError(f"{image} has a partition for data already: take an official image")
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
    lacking = size_of(entries) + ROOM_BYTES - root.free_bytes()
    if lacking > 0:
        # Tables of a larger file system take room, too.
        whole = -(-(layout.root.size_bytes + lacking + lacking // 16) // MEBI) * MEBI
        root.grow(whole)
        layout = set_root_size(image, layout, whole)
    if data_mebi:
        layout = add_data_partition(image, layout, data_mebi)
        root = Ext4(image, layout.root.start_bytes)
    _say("Writing the files …")
    root.write(entries)
    line = (boot.read("cmdline.txt") or b"").decode(errors="replace")
    boot.write("cmdline.txt", command_line_with(line, site.file.wifi.country).encode())
    _say("Checking the file systems …")
    root.check()
    if layout.data is not None:
        Ext4(image, layout.data.start_bytes).check()
    if boot_was_sound:
        boot.check()
    else:  # none of ours: it is left as it was found
        _say("The boot partition of the base is not quite in order by fsck.vfat; it mostly works.")
    return Made(image, release, image.stat().st_size, len(debs))


def _debs(root: Ext4, site: Site, scratch: Path) -> Sequence[Path]:
    wanted = wanted_packages(site.file.daemon.camera.source, site.file.packages)
    missing = missing_packages(root, wanted)
    if not missing:
        return ()
    _say(f"Fetching the packages {' '.join(missing)} …")
    folder = scratch / "apt"
    folder.mkdir()
    return download(root, missing, folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
