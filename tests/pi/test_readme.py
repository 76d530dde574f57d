"""The two ways of README.md onto a Raspberry Pi, from its commands to an alert in a browser.

Each command of README.md is run as it is written there; `runs/pi/*-way.txt` has its duration. The
machine stands for the Raspberry Pi, and this computer for the laptop: it finds the machine by its
name in a local network of both. Needs the Debian archive and the package index.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bundle.pip_environment import pip_environment
from sdcard.disk_image.entries import Entry, File
from sdcard.disk_image.ext4 import Ext4

from tests.pi.cards import disk_with_cloud_init, eject_boot, grow_root, mount_boot
from tests.pi.device import ROOT
from tests.pi.disk import ROOT_AT
from tests.pi.kernel import kernel
from tests.pi.lan import PROFILE_FILE, lan
from tests.pi.laptop import NOBODY, Laptop
from tests.pi.machine import HOST, Machine
from tests.pi.roots import TRIXIE
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.dashboard.dashboards import browser_path
from tests.support.mqtt.brokers import Mosquitto
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(3 * 3600)
README = (ROOT / "README.md").read_text()
#: A card of 4 GB; the root of the other tests is too small for packages from apt and a clone.
CARD_BYTES = 3 << 30
#: The passwords of the device and of its dashboard at the broker.
PASSWORD, READER_PASSWORD = "let-me-in", "let-me-read"


@pytest.fixture(scope="module", autouse=True)
def _require_browser() -> None:
    browser_path()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The private SSH key of the laptop; the public key is beside it."""
    path = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    """A network camera, for which the emulated machine has no replacement."""
    with MjpegCamera(NOBODY, period_s=0.2) as camera:
        yield camera


def camera_at(camera: MjpegCamera) -> str:
    """Return the address of the camera for the machine."""
    return f"http://me:secret@{HOST}:{camera.port}/stream.mjpg"


def section(title: str) -> str:
    """Return the text of a section of README.md."""
    (text,) = re.findall(rf"(?ms)^### {title}$(.*?)(?=^##)", README)
    return str(text)


def commands(text: str, which: int = 0) -> list[str]:
    """Return the lines of a block of commands without their comments."""
    block = re.findall(r"(?ms)^ *```\n(.*?)^ *```", text)[which]
    return [re.sub(r"\s+# .*", "", line.strip()) for line in block.splitlines()]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder to the machine; yield the address."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", folder]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.kill()
        server.wait()


def clone_of_this(folder: Path) -> Path:
    """Return a repository with the commits of this checkout, for clones by HTTP."""
    bare = folder / "mask-patrol.git"
    for command in (
        ["init", "-q", "--bare", "-b", "main", bare],
        ["-C", ROOT, "push", "-q", bare, "HEAD:refs/heads/main"],
        ["-C", bare, "update-server-info"],
    ):
        subprocess.run(["git", *command], check=True)
    return bare


def network_files() -> list[Entry]:
    """Return the files for the machine's networks: its address, and the authorities for TLS.

    A network with a proxy that opens TLS has an authority of its own, which pip must know.
    """
    entries: list[Entry] = [PROFILE_FILE]
    if certificates := pip_environment().get("PIP_CERT"):
        path = "/usr/local/share/network-ca.pem"
        entries.append(File(path, source=Path(certificates)))
        entries.append(File("/etc/pip.conf", f"[global]\ncert = {path}\n".encode()))
    return entries


def user_data(key: Path) -> str:
    """Return what Raspberry Pi Imager writes for cloud-init with the settings of README.md."""
    settings = {
        "hostname": "door1",
        "manage_etc_hosts": True,
        "users": [
            {
                "name": "pi",
                "groups": "users,adm,video,sudo",
                "shell": "/bin/bash",
                "ssh_authorized_keys": [key.with_suffix(".pub").read_text().strip()],
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
            }
        ],
        # Imager uses a module of Raspberry Pi OS, which turns SSH on with this command.
        "runcmd": [["systemctl", "unmask", "ssh"], ["systemctl", "enable", "--now", "ssh"]],
    }
    return f"#cloud-config\n{json.dumps(settings)}\n"


def test_way_on_the_pi_itself(tmp_path: Path, key: Path, camera: MjpegCamera) -> None:
    disk = disk_with_cloud_init(tmp_path)
    grow_root(disk, CARD_BYTES)
    Ext4(disk, ROOT_AT).write(network_files())
    boot = mount_boot(disk, tmp_path)
    (boot / "user-data").write_text(user_data(key))
    (boot / "meta-data").write_text("instance-id: imager\n")
    eject_boot(disk, boot)
    clone_of_this(tmp_path / "served")
    laptop = Laptop("first-way", key)
    text = section("On the Pi itself")
    with (
        served(tmp_path / "served") as web,
        lan() as interface,
        Machine(disk, kernel(TRIXIE), lan=interface, on=False) as machine,
    ):
        began_s = time.monotonic()
        machine.start(up=False)
        laptop.find("door1.local", began_s)
        answers = {
            "Camera": camera_at(camera),
            "Broker [here]": "",
            "Name [door1]": "Tür 1",
            "Dashboard (yes or no) [yes]": "",
        }
        folder = "."
        for command in commands(text):
            if command.startswith("cd "):
                folder = command.removeprefix("cd ")
                continue
            asked = answers if command == "sudo make install" else {}
            url = f"{web}/mask-patrol.git"
            printed = laptop.ssh(re.sub(r"\bURL\b", url, command), asked, folder=folder)
        laptop.see_an_alert(printed, camera)
        laptop.note("in all, from power-on", time.monotonic() - began_s)
        assert "Tür 1 (door1)" in laptop.ssh("mask-patrol status")
        assert "account      door1" in laptop.ssh("sudo mask-patrol broker list")
        machine.power_off()


def test_way_with_a_card_made_on_a_laptop(tmp_path: Path, key: Path, camera: MjpegCamera) -> None:
    text = section("A card made on a laptop")
    disk = disk_with_cloud_init(tmp_path)
    grow_root(disk, CARD_BYTES)
    Ext4(disk, ROOT_AT).write([PROFILE_FILE])
    laptop = Laptop("second-way", key)
    laptop.run(f"git clone {clone_of_this(tmp_path / 'served')} mask-patrol", tmp_path)
    clone = tmp_path / "mask-patrol"
    broker = Mosquitto(tmp_path, password=PASSWORD)
    broker.add_user("dashboard", READER_PASSWORD)
    broker.start()
    site = (clone / "systemd" / "site.example.toml").read_text()
    for line, instead in (
        ("~/.ssh/id_ed25519.pub", f"{key}.pub"),
        ('host = "broker.lan"', f'host = "{HOST}"\nport = {broker.port}'),
        ('\nusername = ""\npassword = ""', f'\nusername = "door"\npassword = "{PASSWORD}"'),
        ('dashboard_username = ""', 'dashboard_username = "dashboard"'),
        ('dashboard_password = ""', f'dashboard_password = "{READER_PASSWORD}"'),
        ('source = "picamera2"', f'source = "{camera_at(camera)}"'),
        ('# [daemon.dashboard]\n# host = "0.0.0.0"', '[daemon.dashboard]\nhost = "0.0.0.0"'),
    ):
        assert site.count(line) == 1, line
        site = site.replace(line, instead)
    (clone / "site.toml").write_text(site)
    boot = mount_boot(disk, tmp_path)
    (command,) = (line for line in commands(text) if "/media/you/bootfs" in line)
    laptop.run(command.replace("/media/you/bootfs", str(boot)), clone)
    eject_boot(disk, boot)
    turn_on = re.findall(r"(?s)`(sudo systemctl enable[^`]*)`", text)[0]
    with (
        lan() as interface,
        Machine(disk, kernel(TRIXIE), lan=interface, on=False) as machine,
    ):
        began_s = time.monotonic()
        machine.start(up=False)
        laptop.find("door1.local", began_s)
        status = "until mask-patrol status; do sleep 5; done 2>/dev/null"
        laptop.ssh(status)
        laptop.note("the device is online", time.monotonic() - began_s)
        printed = laptop.ssh(turn_on, until=r"enter the code \S+\n")
        laptop.see_an_alert(printed, camera)
        laptop.note("in all, from power-on", time.monotonic() - began_s)
        machine.power_off()
