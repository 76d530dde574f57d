"""A booted Debian with Mask Patrol installed, and a broker and a camera in its network."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import stat
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np

from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.dashboard.dashboards import first_live_message
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.ports import accepts
from tests.support.systemd.debian_container import Machine
from tests.support.waiting import wait_until

RELEASES = "/opt/mask-patrol"
CONFIG = "/etc/mask-patrol/mask-patrol.toml"
#: The user name and the password of the device at the broker.
USERNAME, PASSWORD = "door", "let me in"
#: The password of the dashboard at the broker; its user name is `dashboard`.
READER_PASSWORD = "let me read"
PATIENCE_S = 60.0
#: Paths that `Device.files` leaves out. Those in /etc change when accounts are added or removed;
#: the other paths are temporary, or change without an installation.
IGNORED_FILES = re.compile(
    r"/(etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc/\.pwd\.lock|var/(log|tmp)/.*|run/.*"
    r"|(tmp|root|proc|sys|dev)(/.*)?|var/lib/systemd/.*|etc/machine-id|var/cache/ldconfig/.*)"
)


class Device:
    """A booted machine, and the broker and the camera that it can reach."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.broker = Mosquitto(folder, password=PASSWORD)
        self.broker.add_user("dashboard", READER_PASSWORD)
        self.start_broker()
        self.broker.broker = replace(self.broker.broker, username=USERNAME, password=PASSWORD)
        self.subscriber = Subscriber(self.broker.broker)
        self.camera = MjpegCamera([frame_at(BARE_S), frame_at(BARE_S + 0.3)])
        self.camera.__enter__()

    def start_broker(self) -> None:
        """Start the broker, and keep it running after the test."""
        self.broker.start()
        Mosquitto.running.discard(self.broker)

    def close(self) -> None:
        self.subscriber.close()
        self.camera.__exit__()
        self.broker.stop()
        self.machine.remove()

    def path(self, name: str) -> Path:
        """Return the path on this machine of the device's absolute path `name`."""
        return self.machine.root / name.lstrip("/")

    def write_config(self, more: str = "") -> str:
        """Write a configuration to the device, for `install.sh --config`; return its path."""
        text = (
            f"device = 'door1'\n[camera]\nsource = '{self.camera.url}'\n{more}"
            f"[mqtt]\nhost = '127.0.0.1'\nport = {self.broker.port}\nhealth_interval_s = 1.0\n"
        )
        self.path("/root/site.toml").write_text(text)
        return "/root/site.toml"

    def write_credentials(self) -> None:
        """Write the user name and password for the broker to the device."""
        folder = self.path("/etc/mask-patrol/credentials")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mqtt-username").write_text(f"{USERNAME}\n")
        (folder / "mqtt-password").write_text(f"{PASSWORD}\n")

    def write_dashboard_account(self) -> None:
        """Write the dashboard's own user name and password for the broker to the device."""
        folder = self.path("/etc/mask-patrol-dashboard")
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "mqtt-username").write_text("dashboard\n")
        (folder / "mqtt-password").write_text(f"{READER_PASSWORD}\n")

    def dashboard_account(self) -> str:
        """Return all credentials that systemd passes to the running dashboard."""
        folder = "/run/credentials/mask-patrol-dashboard.service"
        return self.machine.run("sh", "-c", f"cat {folder}/*").stdout

    def copy(self, path: Path) -> str:
        """Copy a file to the device; return its path on the device."""
        shutil.copy(path, self.path("/root"))
        return f"/root/{path.name}"

    def unpack(self, bundle: Path) -> str:
        """Unpack a bundle on the device; return the path of its installer."""
        folder = self.path("/root/unpacked")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.machine.run("tar", "-xf", self.copy(bundle), "-C", "/root/unpacked")
        (installer,) = folder.glob("*/install.sh")
        return f"/root/unpacked/{installer.parent.name}/install.sh"

    def linked_release(self, name: str) -> str:
        """Return the version that `current` or `previous` points to."""
        path = self.path(RELEASES) / name
        return path.readlink().name if path.is_symlink() else ""

    def releases(self) -> set[str]:
        return {path.name for path in self.path(RELEASES).iterdir() if not path.is_symlink()}

    def process(self, unit: str = "mask-patrol.service") -> str:
        """Return the PID of a daemon."""
        return self.machine.property("MainPID", unit)

    def status(self) -> dict[str, Any]:
        """Return what `mask-patrol status --json` prints."""
        printed = self.machine.run("mask-patrol", "status", "--json", check=False).stdout
        return dict(json.loads(printed))

    def health(self) -> dict[str, Any]:
        """Return the newest health report in the daemon's status file, or {} without a report."""
        return dict((self.status()["status"] or {}).get("health", {}))

    def wait_online(self) -> None:
        """Wait until all cameras are healthy and the first one has published `online`."""
        wait_until(
            lambda: self.machine.run("mask-patrol", "status", check=False).returncode == 0,
            "mask-patrol status reports no problem",
            PATIENCE_S,
        )
        self.subscriber.wait_for(
            lambda: self.subscriber.bodies("door1/status")[-1:] == ["online"],
            "online at the broker",
        )

    def update(self, path: Path | str, *more: str) -> tuple[int, str]:
        """Run `mask-patrol update`; return the exit code and the output."""
        name = self.copy(path) if isinstance(path, Path) else path
        result = self.machine.run("mask-patrol", "update", name, *more, check=False)
        return result.returncode, result.stdout + result.stderr

    def files(self) -> dict[str, tuple[int, int, int, int, str]]:
        """Return mode, owner, group, time of change, and size or link target of every file."""
        found = {}
        for path in sorted(self.machine.root.rglob("*")):
            name = "/" + str(path.relative_to(self.machine.root))
            if IGNORED_FILES.fullmatch(name):
                continue
            info = path.lstat()
            if stat.S_ISDIR(info.st_mode):
                found[name] = (info.st_mode, info.st_uid, info.st_gid, 0, "")
            else:
                target = str(path.readlink()) if path.is_symlink() else str(info.st_size)
                changed = info.st_mtime_ns
                found[name] = (info.st_mode, info.st_uid, info.st_gid, changed, target)
        return found


class DashboardClient:
    """A client of the device's dashboard, which keeps the cookie of its login session."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._address = f"127.0.0.1:{port}"
        self._cookie = ""

    def wait_listening(self) -> None:
        wait_until(lambda: accepts(self.port), "the dashboard listens", PATIENCE_S)

    def set_first_password(self, code: str, password: str) -> int:
        """Set the first password with the code from the journal; return the HTTP status."""
        fields = {"code": code, "password": password, "again": password}
        return self.post("/setup", urlencode(fields))[0]

    def log_in(self, password: str) -> int:
        """Log in; return the HTTP status, which is 303 if the password is right."""
        return self.post("/login", urlencode({"password": password}))[0]

    def acknowledge(self, episode: str) -> int:
        """Acknowledge an alert; return the HTTP status."""
        return self.post("/alerts/acknowledge", json.dumps({"episodes": [episode]}))[0]

    def history(self) -> list[dict[str, str]]:
        """Return the rows of the exported history."""
        text = self.get("/history.csv")[1].decode()
        return list(csv.DictReader(io.StringIO(text)))

    def get(self, path: str) -> tuple[int, bytes]:
        return self._request("GET", path, None)

    def post(self, path: str, body: str) -> tuple[int, bytes]:
        return self._request("POST", path, body)

    def json(self, path: str) -> dict[str, Any]:
        return dict(json.loads(self.get(path)[1]))

    def picture_shape(self) -> tuple[int, ...]:
        """Return height and width of the picture on the Camera page, or () without a picture."""
        view = self.json("/camera/view")
        if "picture" not in view:
            return ()
        encoded = np.frombuffer(base64.b64decode(view["picture"]), np.uint8)
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape[:2]

    def save_zone(self, zone: list[list[float]]) -> tuple[int, str]:
        """Save a zone on the Camera page; return the HTTP status and the error."""
        status, body = self.post("/camera/drawing", json.dumps({"zone": zone}))
        return status, str(json.loads(body).get("error", ""))

    def condition(self, device: str) -> str:
        """Return the condition of a device on the Live page."""
        news = first_live_message(self._address, self._cookie)
        return next((d["condition"] for d in news.get("devices", ()) if d["device"] == device), "")

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        headers = {"Origin": f"http://{self._address}", "Cookie": self._cookie}
        connection = HTTPConnection(self._address, timeout=30)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        self._cookie = (response.getheader("set-cookie") or self._cookie).split(";")[0]
        content = response.read()
        connection.close()
        return response.status, content


def first_password_code(machine: Machine) -> str:
    """Return the newest code in the dashboard's journal with which the first password is set."""
    journal = machine.run("journalctl", "--unit", "mask-patrol-dashboard", "--no-pager").stdout
    return str(re.findall(r"the code (\S+)", journal)[-1])
