"""`make firstrun` and firstrun.py: files for the boot partition of a card with the stock image.

Raspberry Pi OS Trixie uses these files through cloud-init, Bookworm through the hook of Raspberry
Pi Imager. Both releases only move the first-boot kit to the folder that contains it in an image of
`make image`. The following steps of the first boot are the same as with such an image.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UserError
from edge.common.text_files import EncodingError, read_text
from sdcard.card_files import FIRST_BOOT, UNIT, command_line_with, etc_files, kit_files
from sdcard.site import Site

#: The kit's folder on the boot partition.
FOLDER = "mask-patrol"
MOUNT_POINT = "/boot/firmware"
#: The file that is written last: a kit without it is incomplete.
COMPLETE = ".complete"
#: Kernel parameters with which Bookworm runs a script at its first boot, and then reboots.
HOOK = (
    f"systemd.run={MOUNT_POINT}/firstrun.sh systemd.run_success_action=reboot"
    " systemd.run_failure_action=reboot systemd.unit=kernel-command-line.target"
)
SPARE_BYTES = 8 << 20


@dataclass(frozen=True)
class Prepared:
    """The result of `prepare`: the folder, the release, and whether it contains the bundle."""

    folder: Path
    release: str
    carries_bundle: bool


def prepare(boot: Path, release: str, site: Site, bundle: Path | None) -> Prepared:
    """Write the files for `release` to `boot`, the mounted boot partition of a card.

    If the site has a `download.url`, `bundle` is not copied. Raises UserError.
    """
    if site.file.packages:
        raise UserError(
            "`packages` needs make image; leave it empty here, and install the packages on the"
            " device"
        )
    if site.file.storage.data_mib:
        raise UserError(
            "`storage.data_mib` needs make image; on a stock card the root fills the whole card"
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
            f"{boot} has {free >> 20} MB free, and the bundle needs {size >> 20} MB: put the bundle"
            " on a web server and set `download.url`"
        )
    kit = boot / FOLDER
    shutil.rmtree(kit, ignore_errors=True)
    for name, content in _files(site).items():
        _write(kit / name, content)
    if not url and bundle is not None:
        shutil.copyfile(bundle, kit / "bundle.tar")
    _sync()
    _write(kit / COMPLETE, b"")
    if release == "bookworm":
        # An earlier attempt may have left these files.
        for name in ("mask-patrol-tries", "mask-patrol-failed.txt"):
            (boot / name).unlink(missing_ok=True)
        _write(boot / "firstrun.sh", (FIRST_BOOT / "firstrun.sh").read_bytes())
        command_line = f"{command_line} {HOOK}"
    _write(boot / "cmdline.txt", f"{command_line}\n".encode())
    if release == "trixie":
        _write(boot / "user-data", user_data(site).encode())
        if not (boot / "meta-data").exists():
            _write(boot / "meta-data", b"instance-id: mask-patrol\n")
    _sync()
    return Prepared(boot, release, not url)


def user_data(site: Site) -> str:
    """Return cloud-init's user-data, as JSON, which is valid YAML.

    Uses `bootcmd`, which runs at every boot. cloud-init marks `runcmd` as done before it starts it:
    after a power cut, `runcmd` would never run again. At later boots, cloud-init uses its cached
    copy of user-data, and may run before the boot partition is mounted; so the command mounts the
    partition first.
    """
    start = f"{MOUNT_POINT}/{FOLDER}/start.sh"
    mount = f"systemctl start {MOUNT_POINT[1:].replace('/', '-')}.mount"
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
    """Return cmdline.txt without the hook and with memory accounting turned on.

    Raises UserError if there is no cmdline.txt.
    """
    try:
        text = read_text(boot / "cmdline.txt")
    except OSError as error:
        raise UserError(
            f"{boot}/cmdline.txt: {error.strerror}; BOOT must be the boot partition (bootfs) of a"
            " card with Raspberry Pi OS"
        ) from None
    except EncodingError as error:
        raise UserError(f"cannot read {boot}/cmdline.txt: {error}") from None
    parameters = [word for word in text.split() if not word.startswith("systemd.")]
    return command_line_with(" ".join(parameters), country="").strip()


def _sync() -> None:
    """Write everything to the disks, where the system can; Windows does so at once for cards."""
    if hasattr(os, "sync"):
        os.sync()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
