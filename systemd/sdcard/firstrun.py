"""`make firstrun`: files for the boot partition of a card with the stock image on it.

Raspberry Pi OS Trixie reads them by cloud-init, Bookworm by the hook that Raspberry Pi Imager
uses. Either only brings the kit to where the image of `make image` has it: from there on, the
first boot is the same.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UserError
from sdcard.card_files import FIRST_BOOT, MEMORY, UNIT, etc_files, kit_files
from sdcard.site import Site

#: The kit's folder on the boot partition.
FOLDER = "mask-patrol"
MOUNTED = "/boot/firmware"
#: The last file that is written: a kit without it was cut off.
COMPLETE = ".complete"
#: What makes Bookworm run a script at its first boot, and start again when it has run.
HOOK = (
    f"systemd.run={MOUNTED}/firstrun.sh systemd.run_success_action=reboot"
    " systemd.run_failure_action=reboot systemd.unit=kernel-command-line.target"
)
SPARE_BYTES = 8 << 20


@dataclass(frozen=True)
class Prepared:
    """What was written, and for which system the card is."""

    folder: Path
    release: str
    carries_bundle: bool


def prepare(boot: Path, release: str, site: Site, bundle: Path | None) -> Prepared:
    """Write the files for `release` into `boot`, the boot partition of a card.

    `bundle` is left out when the site says where to download it. Raises UserError.
    """
    if site.file.packages:
        raise UserError(
            "`packages` can only be brought along by make image; leave it empty, and install"
            " them on the device"
        )
    if site.file.storage.data_mib:
        raise UserError(
            "`storage.data_mib`: only make image can make a partition; on a stock card the root"
            " takes all the room"
        )
    if not boot.is_dir():
        raise UserError(
            f"there is no folder {boot}: is the card's boot partition (bootfs) mounted?"
        )
    command_line = _command_line(boot)
    url = site.file.download.url
    if not url and bundle is None:
        raise UserError("there is no bundle: make bundle makes one, or set `download.url`")
    size = 0 if url or bundle is None else bundle.stat().st_size
    if (free := shutil.disk_usage(boot).free) < size + SPARE_BYTES:
        raise UserError(
            f"{boot} has {free >> 20} MB free, and the bundle needs {size >> 20}: put it in your"
            " network and set `download.url`"
        )
    kit = boot / FOLDER
    shutil.rmtree(kit, ignore_errors=True)
    for name, content in _files(site).items():
        _write(kit / name, content)
    if not url and bundle is not None:
        shutil.copyfile(bundle, kit / "bundle.tar")
    os.sync()
    _write(kit / COMPLETE, b"")
    if release == "bookworm":
        for name in ("mask-patrol-tries", "mask-patrol-failed.txt"):  # of an earlier try
            (boot / name).unlink(missing_ok=True)
        _write(boot / "firstrun.sh", (FIRST_BOOT / "firstrun.sh").read_bytes())
        command_line = f"{command_line} {HOOK}"
    _write(boot / "cmdline.txt", f"{command_line}\n".encode())
    if release == "trixie":
        _write(boot / "user-data", user_data(site).encode())
        if not (boot / "meta-data").exists():
            _write(boot / "meta-data", b"instance-id: mask-patrol\n")
    os.sync()
    return Prepared(boot, release, not url)


def user_data(site: Site) -> str:
    """cloud-init's; YAML, of which JSON is a part.

    `bootcmd`, as that is run at every boot: `runcmd` is marked as done before it has begun, so a
    plug pulled meanwhile would end it for good. At later boots cloud-init remembers all this and
    may be earlier than the boot partition.
    """
    start = f"{MOUNTED}/{FOLDER}/start.sh"
    mount = f"systemctl start {MOUNTED[1:].replace('/', '-')}.mount"
    settings = {
        "hostname": site.file.hostname,
        "manage_etc_hosts": False,
        "ssh_pwauth": bool(site.file.user.password_hash),
        "bootcmd": [["sh", "-c", f"{mount}; if [ -e {start} ]; then sh {start}; fi"]],
    }
    return f"#cloud-config\n{json.dumps(settings, indent=2)}\n"


def _files(site: Site) -> dict[str, bytes]:
    found = kit_files(site)
    for path, (content, _) in etc_files(site).items():
        found[path.removeprefix("/")] = content
    if site.file.download.url:
        found["settings/bundle-url"] = site.file.download.url.encode()
        found["settings/bundle-sha256"] = site.file.download.sha256.encode()
    found["start.sh"] = (FIRST_BOOT / "start.sh").read_bytes()
    found[UNIT] = (FIRST_BOOT / UNIT).read_bytes()
    return found


def _command_line(boot: Path) -> str:
    """cmdline.txt without the hook and with what we need; raises UserError when there is none."""
    try:
        text = (boot / "cmdline.txt").read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{boot}/cmdline.txt: {error.strerror}; BOOT is the boot partition (bootfs) of a card"
            " that Raspberry Pi OS was written to"
        ) from None
    words = [word for word in text.split() if not word.startswith("systemd.") and word != MEMORY]
    return " ".join([*words, MEMORY])


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
