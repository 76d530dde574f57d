"""Power cuts, and a hung stage."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sdcard.disk_image.entries import File
from sdcard.disk_image.ext4 import Ext4

from tests.pi.device import CONFIG, SETTINGS, UNIT, Listener, change_unit, installed_disk, put
from tests.pi.disk import ROOT_AT, copy_disk
from tests.pi.kernel import kernel
from tests.pi.machine import Machine
from tests.pi.roots import BOOKWORM
from tests.pi.witness import WITNESSED, assert_nothing_lost, wait_committed
from tests.support.footage.visit_clip import FAST_ALERTS, write_visits
from tests.support.mqtt.brokers import Mosquitto

CUTS = 10
VISITS = 400
#: A module that makes the classification of a face hang while a file exists.
HANG = """
import os, time
import edge.classification.classifier as c
real = c.Classifier.classify_crop
def classify_crop(self, crop):
    if os.path.exists("/srv/hang/now"):
        open("/var/lib/mask-patrol/hanging", "w").close()
        while True:
            time.sleep(1)
    return real(self, crop)
c.Classifier.classify_crop = classify_crop
"""


@pytest.fixture
def busy_disk(tmp_path: Path) -> Path:
    """An installed disk with a recording in which a person comes and goes all the time."""
    disk = copy_disk(installed_disk(BOOKWORM), tmp_path / "disk.img")
    clip = write_visits(tmp_path / "visits.mp4", VISITS)
    settings = f'{SETTINGS}[camera]\nsource = "/srv/visits.mp4"\n{FAST_ALERTS}'
    Ext4(disk, ROOT_AT).write(
        [
            File("/srv/visits.mp4", source=clip),
            File("/srv/hang/sitecustomize.py", HANG.encode()),
            File(CONFIG, settings.encode()),
            File(f"/etc/systemd/system/{UNIT}.d/test.conf", WITNESSED.encode()),
        ]
    )
    return disk


def test_power_cuts_lose_no_event(busy_disk: Path, broker: Mosquitto, listener: Listener) -> None:
    rng = random.Random(6)
    with Machine(busy_disk, kernel(BOOKWORM), only_broker=broker.port) as machine:
        boots = {machine.boot}
        for cut in range(CUTS):
            # The broker is stopped at times, so that more events are queued.
            if cut in (3, 6):
                broker.stop()
            elif cut in (5, 8):
                broker.start()
            wait_committed(machine, rng.randint(2, 12))
            machine.kill()
            machine.start()
            boots.add(machine.boot)
        assert len(boots) == CUTS + 1
        wait_committed(machine, 4)
        machine.run(f"systemctl stop {UNIT}")
        assert_nothing_lost(machine, listener)
        assert len(listener.events) >= 2 * CUTS
        errors = machine.run("dmesg | grep -i -E 'ext4.*(error|corrupt)' || true").output
        assert not errors
        machine.power_off()
    Ext4(busy_disk, ROOT_AT).check()


def test_watchdog_restarts_a_hung_stage(
    busy_disk: Path, broker: Mosquitto, listener: Listener
) -> None:
    with Machine(busy_disk, kernel(BOOKWORM), only_broker=broker.port) as machine:
        listener.wait_online()
        change_unit(machine, f"{WITNESSED}Environment=PYTHONPATH=/srv/hang\n")
        machine.run(f"systemctl restart {UNIT}")
        listener.wait_online(2)
        wait_committed(machine, 2)
        broker.stop()
        wait_committed(machine, 6, "events are queued")
        put(machine, "/srv/hang/now", "hang")
        machine.wait_until("test -e /var/lib/mask-patrol/hanging", "a stage hangs")
        machine.run("rm /srv/hang/now")
        machine.wait_until(
            f"journalctl -b -u {UNIT} | grep -q 'Watchdog timeout'",
            "the watchdog restarts the daemon",
        )
        broker.start()
        listener.wait_online(3)
        assert int(machine.run(f"systemctl show -P NRestarts {UNIT}").output) >= 1
        wait_committed(machine, 2, "new events")
        machine.run(f"systemctl stop {UNIT}")
        assert_nothing_lost(machine, listener)
