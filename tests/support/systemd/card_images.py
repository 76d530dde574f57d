"""Small images with the layout of Raspberry Pi OS, made in a second, and a site.toml for them."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from sdcard.disk_image.ext4 import Ext4
from sdcard.programs import find

from tests.pi.disk import BOOT_AT, MEBI, make_image

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJcVbB3bB5pZJtVZ8b2s2nZ8B4v5sD3n9yq0fXxJ0000 me@laptop"
STATUS = """Package: python3
Status: install ok installed
Version: 3.13.5-1

Package: python3-picamera2
Status: install ok installed
Version: 0.3.30-1

Package: nano
Status: deinstall ok config-files
Version: 8
"""
BOOT_MEBI = 36
ROOT_AT = BOOT_AT + BOOT_MEBI * MEBI


def system_tree(folder: Path, codename: str = "trixie") -> Path:
    """Create the part of a root file system that `make image` reads; return its folder."""
    files = {
        "usr/lib/os-release": f'ID=debian\nVERSION_CODENAME="{codename}"\n',
        "etc/hostname": "raspberrypi\n",
        "etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\traspberrypi\n",
        "etc/systemd/system/multi-user.target.wants/.keep": "",
        "etc/NetworkManager/system-connections/.keep": "",
        "usr/lib/aarch64-linux-gnu/.keep": "",
        "var/lib/dpkg/status": STATUS,
        "var/lib/NetworkManager/NetworkManager.state": "[main]\nWirelessEnabled=false\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "etc/os-release").symlink_to("../usr/lib/os-release")
    (folder / "opt").mkdir()
    return folder


def small_image(folder: Path, codename: str = "trixie", root_mebi: int = 24) -> Path:
    """Make a base image; return its path, `folder`/base.img."""
    tree = system_tree(folder / "tree", codename)
    make_image(folder / "base.img", tree, root_mebi, BOOT_MEBI)
    return folder / "base.img"


def small_bundle(folder: Path) -> Path:
    """Make a file that is accepted as a bundle, but cannot be installed; return its path."""
    path = folder / "bundle.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("install.sh", "SHA256SUMS", "MACHINE"):
            entry = tarfile.TarInfo(f"mask-patrol-1/{name}")
            entry.size = 3
            archive.addfile(entry, io.BytesIO(b"abc"))
    return path


def site_file(folder: Path, text: str = "", **changes: str) -> Path:
    """Write a site.toml that begins with `text` and has all sections.

    `changes` replaces the value of a section, or leaves the section out if it is empty.
    """
    lines = {
        "hostname": '"door7"',
        "timezone": '"Europe/Berlin"',
        "user": f'{{name = "anna", ssh_keys = ["{KEY}"]}}',
        "wifi": '{ssid = "Hall; 1 ü", password = "pass word\\\\9", country = "DE"}',
        "broker": '{username = "door7", password = "s3cret-broker"}',
        "daemon": '{camera = {source = "picamera2"}, mqtt = {host = "broker.lan"}}',
        **changes,
    }
    path = folder / "site.toml"
    body = "".join(f"{name} = {value}\n" for name, value in lines.items() if value)
    path.write_text(text + body, encoding="utf-8")
    return path


def mode_and_owner(root: Ext4, path: str) -> tuple[str, str]:
    """Return the mode and the UID of a file in the root of an image."""
    output = subprocess.run(
        [find("debugfs"), "-R", f'stat "{path}"', f"{root.image}?offset={ROOT_AT}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return output.split("Mode:")[1].split()[0], output.split("User:")[1].split()[0]
