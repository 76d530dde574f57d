"""A second installation, updates, a rollback, and the uninstallation on arm64."""

from __future__ import annotations

import shutil
from pathlib import Path

from sdcard.disk_image.entries import File
from sdcard.disk_image.ext4 import Ext4

from tests.pi.cards import grow_root
from tests.pi.device import CONFIG, SETTINGS, UNIT, Listener, bundle, install, installed_disk
from tests.pi.disk import ROOT_AT, copy_disk
from tests.pi.kernel import kernel
from tests.pi.machine import Machine
from tests.pi.roots import BOOKWORM
from tests.support.footage.visit_clip import write_visits
from tests.support.mqtt.brokers import Mosquitto
from tests.support.systemd.bundles import NO_BROKER, Variant

#: Number of visits in the recording. A visit lasts 0.6 s, so the recording lasts an hour.
VISITS = 6000
GROWN_BYTES = 1 << 30
GOOD, MUTE = "0.2.0+good", "0.3.0+mute"


def variant(folder: Path, version: str, *change: str) -> Path:
    """Make a bundle of `version` with the wheels for one Python only; return its path.

    `change` are arguments of `Variant.change_module`.
    """
    made = Variant(bundle(), folder / version)
    shutil.rmtree(made.top / "wheels/cp313")
    (made.top / "requirements-cp313.txt").unlink()
    if change:
        made.change_module(*change)
    return made.pack(folder / f"{version}.tar", version)


def link(machine: Machine, name: str) -> str:
    return machine.run(f"readlink /opt/mask-patrol/{name}").output.strip()


def test_install_update_roll_back_uninstall(
    tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    good = variant(tmp_path, GOOD)
    # The daemon of this version runs, but never connects to the broker.
    mute = variant(tmp_path, MUTE, "edge/daemon/run.py", r"\Z", NO_BROKER)
    disk = copy_disk(installed_disk(BOOKWORM), tmp_path / "disk.img")
    # Grow the root: three releases and a bundle need more space than the disk has for one release.
    grow_root(disk, GROWN_BYTES)
    # The demo clip would end, and the service restart, during the test.
    clip = write_visits(tmp_path / "visits.mp4", VISITS)
    settings = f'{SETTINGS}[camera]\nsource = "/srv/visits.mp4"\n'
    Ext4(disk, ROOT_AT).write(
        [
            File("/root/bundle.tar", source=bundle()),
            File("/srv/visits.mp4", source=clip),
            File(CONFIG, settings.encode()),
        ]
    )
    with Machine(disk, kernel(BOOKWORM), only_broker=broker.port) as machine:
        listener.wait_online()
        first = link(machine, "current")
        process = machine.run(f"systemctl show -P MainPID {UNIT}").output

        output = install(machine, "--offline")
        assert f"Nothing to change: {first} is installed." in output
        assert machine.run(f"systemctl show -P MainPID {UNIT}").output == process
        machine.run("rm /root/bundle.tar; mv /root/mask-patrol-* /root/unpacked")

        copy_bundle(machine, good)
        output = machine.run("mask-patrol update /root/update.tar --within 600").output
        assert f"{GOOD} is online" in output
        assert (link(machine, "current"), link(machine, "previous")) == (GOOD, first)
        listener.wait_online(3)

        copy_bundle(machine, mute)
        done = machine.run("mask-patrol update /root/update.tar --within 60", check=False)
        assert done.code == 1
        assert f"{MUTE} did not come online" in done.output
        assert f"{GOOD} runs again" in done.output
        assert (link(machine, "current"), link(machine, "previous")) == (GOOD, first)
        machine.wait_until(f"systemctl is-active {UNIT}", "the service runs")

        output = machine.run("/root/unpacked/install.sh uninstall").output
        assert "Left: /var/lib/mask-patrol" in output
        assert listener.payloads("status")[-1] == "offline"
        left = machine.run(
            "ls -d /opt/mask-patrol /usr/local/bin/mask-patrol 2>/dev/null; "
            "getent passwd mask-patrol; systemctl list-unit-files --no-legend 'mask-patrol*'",
            check=False,
        ).output
        assert left == ""
        machine.run("/root/unpacked/install.sh uninstall --purge")
        assert not machine.run(
            "ls -d /etc/mask-patrol /var/lib/mask-patrol 2>/dev/null || true"
        ).output


def copy_bundle(machine: Machine, archive: Path) -> None:
    """Copy a bundle to the machine, which is stopped during the copy."""
    machine.power_off()
    Ext4(machine.disk, ROOT_AT).write([File("/root/update.tar", source=archive)])
    machine.start()
