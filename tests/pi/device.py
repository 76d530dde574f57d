"""An emulated Pi on which the real bundle is installed, and a subscriber at a real broker."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from sdcard.disk_image.entries import Entry, File
from sdcard.disk_image.ext4 import Ext4

from tests.pi.disk import ROOT_AT, base_disk, copy_disk
from tests.pi.kernel import kernel
from tests.pi.machine import RELAY_HOST, RELAY_PORT, Machine, wait_for
from tests.pi.roots import CACHE, Release, build_lock, key
from tests.support.mqtt.brokers import Mosquitto
from tests.support.ports import accepts
from tests.support.systemd.bundles import run_bundle_command

ROOT = Path(__file__).parents[2]
#: An argument of a program can have 128 KiB (MAX_ARG_STRLEN); base64 makes it 4/3 as long.
PIECE_BYTES = 60_000
DEVICE = "door1"
UNIT = "mask-patrol.service"
CONFIG = "/etc/mask-patrol/mask-patrol.toml"
#: The broker is the only host that the machine can reach.
SETTINGS = f"""device = "{DEVICE}"
[mqtt]
host = "{RELAY_HOST}"
port = {RELAY_PORT}
health_interval_s = 5
"""
#: A drop-in with which the daemon processes every frame of a recording as fast as possible, with
#: the timestamps of the recording. The events then do not depend on the speed of the machine.
FAST = f"""[Service]
ExecStart=
ExecStart=/opt/mask-patrol/current/bin/mask-patrol run --config {CONFIG} --pace fast
"""


def bundle() -> Path:
    """Make the bundle of this checkout; return its path."""
    with build_lock("bundle"):
        out = CACHE / "bundle"
        run_bundle_command("--out", out)
        return next(out.glob("mask-patrol-*-arm64.tar"))


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_with(release: Release, folder: Path, entries: list[Entry]) -> Path:
    """Return a new disk in `folder` with `entries`."""
    disk = copy_disk(base_disk(release), folder / "disk.img")
    Ext4(disk, ROOT_AT).write(entries)
    return disk


def installed_disk(release: Release) -> Path:
    """Return a disk on which the real installer has installed the real bundle, without a network.

    It is made once for each bundle, and shared: copy it before use.
    """
    made = bundle()
    name = f"installed-{release.name}-{key(base_disk(release).name, digest(made), SETTINGS)}"
    folder = CACHE / name
    with build_lock(name):
        if not (folder / "disk.img").exists():
            for old in CACHE.glob(f"installed-{release.name}-*"):
                if old.is_dir():
                    subprocess.run(["rm", "-r", old], check=True)
            partial = CACHE / f"partial-{name}"
            subprocess.run(["rm", "-rf", partial], check=True)
            partial.mkdir()
            disk = disk_with(release, partial, [File("/root/bundle.tar", source=made)])
            with Machine(disk, kernel(release), only_broker=9) as machine:
                put(machine, "/root/door.toml", SETTINGS)
                log = install(machine, "--offline --no-start --config /root/door.toml")
                machine.run("rm -r /root/bundle.tar /root/mask-patrol-*")
                machine.power_off()
            (partial / "install.log").write_text(log)
            partial.rename(folder)
    return folder / "disk.img"


def install(machine: Machine, options: str = "") -> str:
    """Unpack the bundle and run its installer; return the output."""
    return machine.run(
        "cd /root && tar -xf bundle.tar --no-same-owner && time mask-patrol-*/install.sh " + options
    ).output


def put(machine: Machine, path: str, content: str | bytes) -> None:
    """Write a file in the running machine, in pieces that fit into a command."""
    data = content.encode() if isinstance(content, str) else content
    machine.run(f"mkdir -p $(dirname {path}) && : > {path}")
    for at in range(0, len(data), PIECE_BYTES):
        text = base64.b64encode(data[at : at + PIECE_BYTES]).decode()
        machine.run(f"base64 -d >> {path} <<'END'\n{text}\nEND")


def change_unit(machine: Machine, text: str) -> None:
    """Write a drop-in for the unit, as `systemctl edit` does."""
    put(machine, f"/etc/systemd/system/{UNIT}.d/test.conf", text)
    machine.run("systemctl daemon-reload")


class Listener:
    """A subscriber to all topics, with a persistent session."""

    def __init__(self, broker: Mosquitto, username: str = "", password: str = "") -> None:
        self._lock = threading.Lock()
        self._messages: list[tuple[str, bytes]] = []
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False
        )
        client.on_connect = lambda c, *_: c.subscribe("maskpatrol/#", qos=1)
        client.on_message = lambda _c, _d, m: self._take(m.topic, m.payload)
        if username:
            client.username_pw_set(username, password)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        self._client = client

    def payloads(self, leaf: str) -> list[Any]:
        """Return the payloads on `maskpatrol/door1/LEAF` in order; JSON objects are decoded."""
        with self._lock:
            found = [body for topic, body in self._messages if topic.endswith("/" + leaf)]
        return [json.loads(body) if body[:1] == b"{" else body.decode() for body in found]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events by `seq`, without duplicates."""
        by_number = {
            (e["seq"], e["id"], e["event_type"]): e for e in reversed(self.payloads("events"))
        }
        return sorted(by_number.values(), key=lambda event: int(event["seq"]))

    def count(self, status: str) -> int:
        """Return how often the device has published the status `online` or `offline`."""
        return self.payloads("status").count(status)

    def wait_online(self, times: int = 1) -> None:
        wait_for(lambda: self.count("online") >= times, f"online for the {times}th time")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, topic: str, body: bytes) -> None:
        with self._lock:
            self._messages.append((topic, body))


@contextmanager
def installed_machine(release: Release, folder: Path, broker: Mosquitto) -> Iterator[Machine]:
    """Boot a machine with an installed disk; the service starts at boot."""
    assert accepts(broker.port)
    disk = copy_disk(installed_disk(release), folder / "disk.img")
    with Machine(disk, kernel(release), only_broker=broker.port) as machine:
        yield machine
