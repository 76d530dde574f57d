"""The real installer, units and updates, on a booted Debian with a broker that wants a password."""

from __future__ import annotations

import base64
import json
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

from edge.common.paths import PACKAGE
from tests.support.brokers import Mosquitto, Subscriber, accepts, free_port, wait_until
from tests.support.bundles import PYTHON_OF, Variant, make_bundle
from tests.support.dashboards import first_news
from tests.support.debian_container import Machine, require_tools
from tests.support.mjpeg_server import MjpegCamera
from tests.support.visit_clip import BARE_S, frame_at

pytestmark = pytest.mark.timeout(600)
RELEASES = "/opt/mask-patrol"
PASSWORD = "let me in"
PATIENCE_S = 60.0
#: Appended to the daemon's code: no connection to the broker succeeds.
MUTE = """
import paho.mqtt.client

def _connect(*arguments, **options):
    raise OSError("mute")

paho.mqtt.client.Client.connect = _connect
"""
#: What an installation must not leave behind lies in none of these: accounts come and go in the
#: files of /etc, the rest is not kept or not ours.
ELSEWHERE = re.compile(
    r"/(etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc/\.pwd\.lock|var/(log|tmp)/.*|run/.*"
    r"|(tmp|root|proc|sys|dev)(/.*)?|var/lib/systemd/.*|etc/machine-id|var/cache/ldconfig/.*)"
)


class Device:
    """A booted machine, and the broker and the camera that it reaches."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.broker = Mosquitto(folder, password=PASSWORD).start()
        Mosquitto.running.discard(self.broker)  # it outlives a test
        self.broker.broker = replace(self.broker.broker, username="door", password=PASSWORD)
        self.subscriber = Subscriber(self.broker.broker)
        self.camera = MjpegCamera([frame_at(BARE_S), frame_at(BARE_S + 0.3)])
        self.camera.__enter__()

    def close(self) -> None:
        self.subscriber.close()
        self.camera.__exit__()
        self.broker.stop()
        self.machine.remove()

    def configuration(self, more: str = "") -> str:
        """Written to the device; its name there."""
        text = (
            f"device = 'door1'\n[camera]\nsource = '{self.camera.url}'\n{more}"
            f"[mqtt]\nhost = '127.0.0.1'\nport = {self.broker.port}\nhealth_interval_s = 1.0\n"
        )
        (self.machine.root / "root/site.toml").write_text(text)
        return "/root/site.toml"

    def give_credentials(self) -> None:
        folder = self.machine.root / "etc/mask-patrol/credentials"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mqtt-username").write_text("door\n")
        (folder / "mqtt-password").write_text(f"{PASSWORD}\n")

    def copy(self, path: Path) -> str:
        """Put a file there; its name there."""
        shutil.copy(path, self.machine.root / "root")
        return f"/root/{path.name}"

    def unpack(self, bundle: Path) -> str:
        """The name of its installer there."""
        folder = self.machine.root / "root/unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.machine.run("tar", "-xf", self.copy(bundle), "-C", "/root/unpacked")
        (top,) = folder.iterdir()
        return f"/root/unpacked/{top.name}/install.sh"

    def link(self, name: str) -> str:
        """Which version `current` or `previous` is."""
        path = self.machine.root / RELEASES.lstrip("/") / name
        return path.readlink().name if path.is_symlink() else ""

    def versions(self) -> set[str]:
        folder = self.machine.root / RELEASES.lstrip("/")
        return {path.name for path in folder.iterdir() if not path.is_symlink()}

    def process(self) -> str:
        return self.machine.property("MainPID")

    def wait_online(self) -> None:
        """The daemon is, by its own account and at the broker."""
        wait_until(
            lambda: self.machine.run("mask-patrol", "status", check=False).returncode == 0,
            "mask-patrol status says that all is well",
            PATIENCE_S,
        )
        self.subscriber.wait_for(
            lambda: self.subscriber.bodies("status")[-1:] == ["online"], "online at the broker"
        )

    def update(self, path: Path | str, *more: str) -> tuple[int, str]:
        """Exit code, and all that it said."""
        name = self.copy(path) if isinstance(path, Path) else path
        result = self.machine.run("mask-patrol", "update", name, *more, check=False)
        return result.returncode, result.stdout + result.stderr

    def files(self) -> dict[str, tuple[int, int, int, int, str]]:
        """Everything that is kept: mode, owner, time of change, size or target."""
        found = {}
        for path in sorted(self.machine.root.rglob("*")):
            name = "/" + str(path.relative_to(self.machine.root))
            if ELSEWHERE.fullmatch(name):
                continue
            info = path.lstat()
            if stat.S_ISDIR(info.st_mode):
                found[name] = (info.st_mode, info.st_uid, info.st_gid, 0, "")
            else:
                target = str(path.readlink()) if path.is_symlink() else str(info.st_size)
                changed = info.st_mtime_ns
                found[name] = (info.st_mode, info.st_uid, info.st_gid, changed, target)
        return found


class Visitor:
    """Somebody who is logged in at the dashboard on a port of this machine."""

    def __init__(self, port: int) -> None:
        self._address = f"127.0.0.1:{port}"
        self._cookie = ""

    def get(self, path: str) -> tuple[int, bytes]:
        return self._ask("GET", path, None)

    def post(self, path: str, body: str) -> tuple[int, bytes]:
        return self._ask("POST", path, body)

    def json(self, path: str) -> dict[str, Any]:
        return dict(json.loads(self.get(path)[1]))

    def sees(self) -> tuple[int, ...]:
        """Height and width of the picture on the Camera page; nothing when there is none."""
        told = self.json("/camera/view")
        if "picture" not in told:
            return ()
        code = np.frombuffer(base64.b64decode(told["picture"]), np.uint8)
        return cv2.imdecode(code, cv2.IMREAD_COLOR).shape[:2]

    def save(self, zone: list[list[float]]) -> tuple[int, str]:
        """On the Camera page: the status, and what is said."""
        answer, told = self.post("/camera/drawing", json.dumps({"zone": zone}))
        return answer, str(json.loads(told).get("error", ""))

    def condition(self, device: str) -> str:
        """What the Live page is told of it."""
        news = first_news(self._address, self._cookie)
        return next((d["condition"] for d in news.get("devices", ()) if d["device"] == device), "")

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        headers = {"Origin": f"http://{self._address}", "Cookie": self._cookie}
        caller = HTTPConnection(self._address, timeout=30)
        caller.request(method, path, body, headers)
        answer = caller.getresponse()
        self._cookie = (answer.getheader("set-cookie") or self._cookie).split(";")[0]
        content = answer.read()
        caller.close()
        return answer.status, content


@pytest.fixture(scope="module", params=["bookworm", pytest.param("trixie", marks=pytest.mark.soak)])
def suite(request: pytest.FixtureRequest) -> str:
    require_tools()
    return str(request.param)


@pytest.fixture(scope="module")
def bundle(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the wheels of the one Python that is there, as `make install` makes it."""
    return make_bundle(tmp_path_factory.mktemp("bundle"), "--python", PYTHON_OF[suite])


@pytest.fixture(scope="module")
def device(suite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    folder = tmp_path_factory.mktemp("device")
    device = Device(Machine(folder / suite, suite).boot(), folder)
    yield device
    device.close()


@pytest.fixture(scope="module")
def variants(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundles of later versions: one that works, and some that are broken."""
    folder = tmp_path_factory.mktemp("variants")

    def variant(version: str, *changes: tuple[str, str, str]) -> Path:
        made = Variant(bundle, folder / version)
        for change in changes:
            made.change_module(*change)
        path = made.pack(folder / f"{version}.tar", version)
        shutil.rmtree(folder / version)
        return path

    return {
        "good": variant("0.2.0+good"),
        "unfit": variant(
            "0.3.0+unfit", ("edge/detection/face_detector.py", "_alt2.xml", "_none.xml")
        ),
        "crashes": variant("0.3.0+crashes", ("edge/daemon/run.py", r"\Z", "raise SystemExit(1)\n")),
        # Its status file also lacks a key that the version that watches the trial reads.
        "mute": variant(
            "0.3.0+mute",
            ("edge/daemon/run.py", r"\Z", MUTE),
            ("edge/[dh]*/*.py", '"broker_failure"', '"broker_trouble"'),
        ),
    }


@pytest.fixture
def installer(device: Device, bundle: Path) -> str:
    """The bundle's, unpacked on the device."""
    return device.unpack(bundle)


@pytest.fixture
def first(device: Device, bundle: Path, installer: str) -> str:
    """The bundle's version, which runs when the test begins."""
    device.give_credentials()
    device.machine.run(installer, "--offline", "--config", device.configuration())
    device.wait_online()
    return device.link("current")


def test_a_first_installation_without_and_with_a_configuration(
    device: Device, installer: str
) -> None:
    machine = device.machine
    result = machine.run(installer, "--offline")
    assert "name your broker (mqtt.host) and your camera (camera.source)" in result.stdout
    assert machine.run("systemctl", "is-enabled", "mask-patrol", check=False).returncode != 0
    result = machine.run("mask-patrol", "status", check=False)
    assert result.returncode == 1
    assert "not running (inactive): sudo systemctl start mask-patrol" in result.stdout

    (machine.root / "root/bad.toml").write_text("[mqtt]\nhots = 'x'\n")
    result = machine.run(installer, "--config", "/root/bad.toml", check=False)
    assert result.returncode == 2
    assert "unknown setting `mqtt.hots`; did you mean `mqtt.host`?" in result.stderr

    device.give_credentials()
    machine.run(installer, "--offline", "--config", device.configuration())
    device.wait_online()
    device.subscriber.wait_for(lambda: bool(device.subscriber.bodies("events")), "an alert")
    device.subscriber.wait_for(lambda: bool(device.subscriber.bodies("health")), "health")
    assert device.subscriber.bodies("health")[-1]["camera"] == "ok"
    assert machine.run("systemctl", "is-enabled", "mask-patrol").stdout == "enabled\n"


@pytest.mark.usefixtures("first")
def test_another_configuration_and_packages_that_are_brought_along(
    device: Device, installer: str, tmp_path: Path
) -> None:
    machine, process = device.machine, device.process()
    control = tmp_path / "mask-patrol-test" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: mask-patrol-test\nVersion: 1\nArchitecture: all\nDescription: nothing\n"
        "Maintainer: nobody <nobody@localhost>\n"
    )
    packages = machine.root / "root/packages"
    packages.mkdir()
    subprocess.run(["dpkg-deb", "--build", tmp_path / "mask-patrol-test", packages], check=True)
    text = (machine.root / "root/site.toml").read_text()
    (machine.root / "root/other.toml").write_text(text.replace(device.camera.url, "picamera2"))
    result = machine.run(
        installer, "--offline", "--no-start", "--deb-dir", "/root/packages",
        "--config", "/root/other.toml",
    )  # fmt: skip
    assert "camera.source is picamera2, which is not installed" in result.stderr
    assert "The old configuration is kept as /etc/mask-patrol/mask-patrol.toml.old" in result.stdout
    assert (machine.root / "etc/mask-patrol/mask-patrol.toml.old").read_text() == text
    assert machine.run("dpkg-query", "-W", "-f", "${Status}", "mask-patrol-test").stdout == (
        "install ok installed"
    )
    assert device.process() == process  # not started anew yet
    assert "what ran before still runs" in result.stdout
    machine.run("dpkg", "--purge", "mask-patrol-test")


@pytest.mark.usefixtures("first")
def test_what_it_is_confined_to(device: Device) -> None:
    told = device.machine.run("systemd-analyze", "security", "mask-patrol.service", "--no-pager")
    exposure = re.findall(r"exposure level for mask-patrol.service: ([0-9.]+)", told.stdout)
    assert [float(number) < 2.0 for number in exposure] == [True]
    status = device.machine.run("cat", f"/proc/{device.process()}/status").stdout
    assert re.search(r"CapBnd:\s+0+\n", status)
    assert re.search(r"Seccomp:\s+2\n", status)
    device.machine.run("systemctl", "reload", "mask-patrol")
    wait_until(lambda: device.machine.property("ActiveState") == "active", "the reload is over")
    # Whether the clock is right can be asked all the same.
    code = "import edge.common.clock; print(edge.common.clock.kernel_clock_state())"
    state = device.machine.run("/opt/mask-patrol/current/bin/python", "-c", code).stdout.strip()
    synced = device.subscriber.bodies("events")[-1]["clock_synced"]
    assert synced == (0 <= int(state) < 5)
    journal = device.machine.run("systemd-analyze", "cat-config", "systemd/journald.conf").stdout
    assert "\nSystemMaxUse=64M\n" in journal
    if int(device.machine.run("systemctl", "--version").stdout.split()[1]) >= 254:
        device.machine.run("udevadm", "verify", "/usr/local/lib/udev/rules.d/60-mask-patrol.rules")
        assert device.machine.property("RestartMaxDelayUSec") == "20s"
    # Who may read what: the password root alone, the configuration the daemon too.
    modes = device.machine.run(
        "stat", "-c", "%a %U %G", "/etc/mask-patrol/credentials",
        "/etc/mask-patrol/mask-patrol.toml", "/run/mask-patrol/status.json",
    )  # fmt: skip
    assert modes.stdout.splitlines() == [
        "700 root root",
        "640 root mask-patrol",
        "644 mask-patrol mask-patrol",
    ]


@pytest.mark.usefixtures("first")
def test_without_the_partition_for_the_events_the_door_is_watched(device: Device) -> None:
    machine = device.machine
    machine.run("systemctl", "stop", "mask-patrol")
    for _ in range(2):  # there is none here, whoever asks
        assert machine.run("systemctl", "restart", "mask-patrol-data", check=False).returncode
    mounts = machine.run("findmnt", "-no", "SOURCE", "/var/lib/mask-patrol").stdout.split()
    assert mounts == ["mask-patrol-is-missing"]
    machine.run("systemctl", "start", "mask-patrol")
    # In memory events are numbered like none of before.
    device.subscriber.wait_for(
        lambda: device.subscriber.bodies("events")[-1]["seq"] > 1_000_000_000, "an alert"
    )
    result = machine.run("mask-patrol", "status", check=False)
    assert result.returncode == 1
    assert "in MEMORY only" in result.stdout
    machine.run("systemctl", "stop", "mask-patrol")
    machine.run("umount", "/var/lib/mask-patrol")
    machine.run("systemctl", "reset-failed", "mask-patrol-data")
    machine.run("systemctl", "start", "mask-patrol")
    device.wait_online()


@pytest.mark.usefixtures("first")
def test_the_dashboard_beside_it(device: Device, installer: str) -> None:
    machine, port = device.machine, free_port()
    config = device.configuration(f"preview = true\n[dashboard]\nport = {port}\n")
    machine.run(installer, "--offline", "--dashboard", "--config", config)
    device.wait_online()
    visitor = Visitor(port)
    wait_until(lambda: accepts(port), "the dashboard listens", PATIENCE_S)
    journal = machine.run("journalctl", "--unit", "mask-patrol-dashboard", "--no-pager").stdout
    (code,) = re.findall(r"the code (\S+)", journal)
    fields = {"code": code, "password": PASSWORD * 2, "again": PASSWORD * 2}
    assert visitor.post("/setup", urlencode(fields))[0] == 303
    assert visitor.get("/")[0] == 200
    wait_until(lambda: visitor.condition("door1") == "online", "it hears the device")
    # What the camera sees comes through the socket of another account's daemon.
    wait_until(lambda: visitor.sees() == frame_at(BARE_S).shape[:2], "a picture")
    wait_until(lambda: visitor.json("/camera/use")["state"] == "used", "what it uses")

    # As installed it may not write: it says what is to be written, and what came of that.
    zone = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]
    answer, said = visitor.save(zone)
    assert answer == 422
    assert "cannot write /etc/mask-patrol/mask-patrol.toml: Read-only file system" in said
    (lines,) = re.findall("; write it there yourself: (zone = .*]) under \\[camera]", said)
    file = machine.root / "etc/mask-patrol/mask-patrol.toml"
    file.write_text(file.read_text().replace("preview = true\n", f"preview = true\n{lines}\n"))
    wait_until(lambda: visitor.json("/camera/use")["state"] == "other", "nobody has read it")
    machine.run("systemctl", "reload", "mask-patrol")
    wait_until(lambda: visitor.json("/camera/use")["state"] == "used", "the reload")

    # The way that the documentation names lets it.
    text = (PACKAGE / "dashboard" / "README.md").read_text().replace("\n", " ")
    (rights,) = re.findall("`(chgrp mask-patrol [^`]*)`", text)
    (setting,) = re.findall("`(ReadWritePaths=[^`]*)`", text)
    machine.run("sh", "-c", rights)
    dropin = machine.root / "etc/systemd/system/mask-patrol-dashboard.service.d/override.conf"
    dropin.parent.mkdir()
    dropin.write_text(f"[Service]\n{setting}\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "mask-patrol-dashboard")
    wait_until(lambda: accepts(port), "it listens again", PATIENCE_S)
    zone[0] = [0.2, 0.2]
    answer, said = visitor.save(zone)  # still logged in
    assert answer == 200, said
    wait_until(lambda: visitor.json("/camera/use")["state"] == "used", "it is read at once")
    assert visitor.json("/camera/drawing")["zone"] == zone
    owner = machine.run("stat", "-c", "%a %G", "/etc/mask-patrol/mask-patrol.toml").stdout
    assert owner == "640 mask-patrol\n"
    machine.run("systemctl", "restart", "mask-patrol")  # as who is not who wrote it
    device.wait_online()
    wait_until(lambda: visitor.json("/camera/use")["state"] == "used", "it is read at the start")
    shutil.rmtree(dropin.parent)
    machine.run("systemctl", "disable", "--now", "mask-patrol-dashboard")


def test_installed_again_nothing_changes(device: Device, installer: str, first: str) -> None:
    process, files = device.process(), device.files()
    result = device.machine.run(installer, "--offline")
    assert f"Nothing to change: {first} is installed." in result.stdout
    assert device.process() == process
    changed = {name for name, _ in files.items() ^ device.files().items()}
    assert {name for name in changed if not name.startswith("/var/lib/mask-patrol")} == set()


def test_an_update(device: Device, variants: dict[str, Path], first: str) -> None:
    process = device.process()
    config = (device.machine.root / "etc/mask-patrol/mask-patrol.toml").read_text()
    code, said = device.update(variants["good"])
    assert code == 0, said
    assert (device.link("current"), device.link("previous")) == ("0.2.0+good", first)
    assert device.process() != process
    assert (device.machine.root / "etc/mask-patrol/mask-patrol.toml").read_text() == config
    process = device.process()
    code, said = device.update(variants["good"])
    assert (code, said.splitlines()[-1]) == (0, "0.2.0+good runs already: nothing to do.")
    assert device.process() == process


@pytest.mark.soak
def test_the_way_back_by_hand(device: Device, variants: dict[str, Path], first: str) -> None:
    assert device.update(variants["good"])[0] == 0
    code, said = device.update("--back")
    assert code == 0, said
    assert (device.link("current"), device.link("previous")) == (first, "0.2.0+good")
    device.wait_online()


def test_bundles_that_never_get_to_run(
    device: Device, variants: dict[str, Path], first: str
) -> None:
    process, versions = device.process(), device.versions()
    content = bytearray(variants["crashes"].read_bytes())
    content[40_000_000] ^= 1
    (device.machine.root / "root/damaged.tar").write_bytes(content)
    (device.machine.root / "root/cut.tar").write_bytes(content[:30_000_000])
    (device.machine.root / "root/none.tar").write_bytes(b"no archive")
    for bundle, expected, code in (
        ("/root/damaged.tar", "has a damaged wheels/", 1),
        ("/root/cut.tar", "is not a bundle, or is damaged", 1),
        ("/root/none.tar", "is not a bundle, or is damaged", 1),
        ("/root/nowhere.tar", "cannot read the bundle /root/nowhere.tar: No such file", 2),
        (variants["unfit"], f"0.3.0+unfit failed its check; {first} keeps running", 1),
    ):
        result, said = device.update(bundle)
        assert result == code, said
        assert expected in said
        assert "Traceback" not in said
    assert (device.process(), device.versions()) == (process, versions)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("crashes", "failed (exit-code)", marks=pytest.mark.soak),
        ("mute", "it is not connected to the broker"),
    ],
)
def test_what_does_not_come_online_goes_back_by_itself(
    device: Device, variants: dict[str, Path], first: str, name: str, why: str
) -> None:
    previous, versions = device.link("previous"), device.versions()
    code, said = device.update(variants[name], "--within", "8")
    assert code == 1, said
    assert f"0.3.0+{name} did not come online ({why}" in said
    assert f"; {first} runs again" in said
    assert (device.link("current"), device.link("previous")) == (first, previous)
    assert device.versions() == versions
    device.wait_online()


@pytest.mark.soak
@pytest.mark.usefixtures("first")
def test_one_that_hangs_is_started_anew_and_says_where_it_hung(device: Device) -> None:
    machine = device.machine
    dropin = machine.root / "etc/systemd/system/mask-patrol.service.d/short.conf"
    dropin.parent.mkdir()
    dropin.write_text("[Service]\nWatchdogSec=3\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "mask-patrol")
    device.wait_online()
    process = device.process()
    machine.run("sh", "-c", f"kill -STOP {process}")
    wait_until(lambda: device.process() not in (process, "0"), "another one runs", PATIENCE_S)
    device.wait_online()
    journal = machine.run("journalctl", "--unit", "mask-patrol", "--no-pager").stdout
    assert "Watchdog timeout" in journal
    assert "edge/daemon/loop.py" in journal
    assert "restarted once" in machine.run("mask-patrol", "status").stdout
    shutil.rmtree(dropin.parent)
    machine.run("systemctl", "daemon-reload")


@pytest.mark.soak
def test_a_power_cut_in_a_trial_goes_back_at_the_next_start(
    device: Device, variants: dict[str, Path], first: str
) -> None:
    dropin = device.machine.root / "etc/systemd/system/mask-patrol-settle.service.d/short.conf"
    dropin.parent.mkdir()
    command = f"{RELEASES}/{first}/bin/mask-patrol update --settle --within 15"
    dropin.write_text(f"[Service]\nExecStart=\nExecStart={command}\n")
    trying = device.machine.start("mask-patrol", "update", device.copy(variants["mute"]))
    wait_until(lambda: device.link("current") == "0.3.0+mute", "it is switched to", PATIENCE_S)
    device.machine.cut()
    trying.communicate()
    device.machine.boot()
    wait_until(lambda: device.link("current") == first, "it went back", PATIENCE_S)
    device.wait_online()
    wait_until(lambda: not (device.machine.root / "opt/mask-patrol/trial").exists(), "it is over")
    shutil.rmtree(dropin.parent)


def test_uninstalled_it_leaves_the_data_that_it_names_and_then_nothing(
    device: Device, installer: str
) -> None:
    machine = device.machine
    machine.run(installer, "uninstall", "--purge")
    before = device.files()
    device.give_credentials()
    machine.run(installer, "--offline", "--config", device.configuration())
    device.wait_online()
    result = machine.run("/opt/mask-patrol/current/share/mask-patrol/install.sh", "uninstall")
    assert "Left: /etc/mask-patrol (" in result.stdout
    assert "Left: /var/lib/mask-patrol (" in result.stdout
    device.subscriber.wait_for(
        lambda: device.subscriber.bodies("status")[-1] == "offline", "its farewell"
    )
    left = set(device.files().keys() ^ before.keys())
    data = ("/etc/mask-patrol", "/var/lib/mask-patrol")
    assert {name for name in left if not name.startswith(data)} == set()
    assert "mask-patrol" not in (machine.root / "etc/passwd").read_text()
    machine.run(installer, "uninstall", "--purge")
    assert device.files().keys() == before.keys()
