"""Debian packages for an image: apt resolves them against the packages installed in the image."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge.common.errors import UserError
from sdcard.disk_image.ext4 import Ext4
from sdcard.programs import find, run

PICAMERA2 = "python3-picamera2"
STATUS = "/var/lib/dpkg/status"


def wanted_packages(source: str, further: Iterable[str]) -> list[str]:
    """Return the packages that `camera.source` needs, and those in `further`."""
    camera = [PICAMERA2] if source.split(":", maxsplit=1)[0] == "picamera2" else []
    return list(dict.fromkeys((*camera, *further)))


def missing_packages(root: Ext4, wanted: Iterable[str]) -> list[str]:
    """Return those of `wanted` that are not installed in the image."""
    installed = installed_packages((root.read(STATUS) or b"").decode(errors="replace"))
    return [name for name in wanted if name not in installed]


def installed_packages(status: str) -> set[str]:
    """Return the names of the installed packages in `status`, the content of dpkg's database."""
    found = set()
    for paragraph in status.split("\n\n"):
        name = re.search(r"^Package: (\S+)$", paragraph, re.MULTILINE)
        if name and re.search(r"^Status: \S+ ok installed$", paragraph, re.MULTILINE):
            found.add(name[1])
    return found


def download(root: Ext4, names: Sequence[str], folder: Path) -> list[Path]:
    """Download `names` and the dependencies that the image lacks into `folder`.

    Uses the image's sources, keys, and preferences; the configuration of this machine is neither
    used nor changed. Raises UserError with apt's message.
    """
    find("apt-get")  # fails early on a machine that is not Debian-based
    options = _apt_options(root, folder)
    environment = {"APT_CONFIG": str(write_apt_config(folder))}
    try:
        run("apt-get", *options, "update", environment=environment)
        run(
            "apt-get", *options, "install", "--download-only", "--yes", "--no-install-recommends",
            "--no-remove", *names, environment=environment,
        )  # fmt: skip
    except UserError as error:
        raise UserError(
            f"cannot download the packages {' '.join(names)} from the image's own sources, so the"
            f" first boot would need the internet: {error}"
        ) from None
    return sorted((folder / "archives").glob("*.deb"))


def write_apt_config(folder: Path) -> Path:
    """Write a configuration of apt; return its path.

    With this configuration, apt ignores the configuration of this machine. Command-line options
    would be too late: apt reads its configuration files before them.
    """
    path = folder / "apt.conf"
    path.write_text('Dir::Etc::parts "/dev/null";\nDir::Etc::main "/dev/null";\n')
    return path


def _apt_options(root: Ext4, folder: Path) -> list[str]:
    """Copy the image's configuration of apt into `folder`; return options that make apt use it."""
    for name in ("archives/partial", "lists/partial", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not root.copy_out("/etc/apt", folder):
        raise UserError("the image has no /etc/apt: is it Raspberry Pi OS?")
    root.copy_out("/usr/share/keyrings", folder)
    etc, keyrings = folder / "apt", folder / "keyrings"
    for file in (etc / "sources.list", *(etc / "sources.list.d").glob("*")):
        if file.is_file():
            text = file.read_text(errors="replace").replace("/usr/share/keyrings", str(keyrings))
            file.write_text(text.replace("/etc/apt/", f"{etc}/"))
    # The image's apt.conf.d may name hooks and proxies, which must not be used on this machine.
    shutil.rmtree(etc / "apt.conf.d", ignore_errors=True)
    (folder / "state/status").write_bytes(root.read(STATUS) or b"")
    settings = {
        "Dir::Etc": etc,
        "Dir::Etc::Trusted": etc / "trusted.gpg",
        "Dir::Etc::TrustedParts": etc / "trusted.gpg.d",
        "Dir::State": folder / "state",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "state/status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    return ["-q", *(f"-o{name}={value}" for name, value in settings.items())]
