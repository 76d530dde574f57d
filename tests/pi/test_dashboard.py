"""The dashboard beside the daemon, on the emulated Pi."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2

from tests.pi.device import FAST, UNIT, Listener, change_unit, installed_machine, put
from tests.pi.machine import wait_for
from tests.pi.roots import Release
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.mqtt.brokers import Mosquitto

DASHBOARD = "mask-patrol-dashboard.service"
PASSWORD = "a long password"
#: A script for the machine: sets the password with the code, or logs in. Prints the HTTP status of
#: each page, whether the device is listed, the history, and the result of the Check page.
VISIT = """
import base64, http.client, json, re, sys, urllib.parse
path, code, password, picture = sys.argv[1:]
cookie = ""
def request(method, path, body=None, **more):
    global cookie
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=300)
    headers = {"Origin": "http://127.0.0.1:8080", "Cookie": cookie, **more}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    cookie = (response.getheader("set-cookie") or cookie).split(";")[0]
    return response.status, response.read()
fields = {"code": code, "password": password, "again": password}
entered, _ = request("POST", path, urllib.parse.urlencode(fields))
pages = {name: request("GET", name) for name in ("/", "/history", "/health", "/check")}
listed = "door1" in pages["/health"][1].decode()
history = request("GET", "/history.csv")[1].decode()
status, found = request("POST", "/check/picture", open(picture, "rb").read(), **{"X-Name": "a.png"})
found = json.loads(found)
annotated = base64.b64decode(found.pop("annotated", ""))[:3] == b"\\xff\\xd8\\xff"
statuses = {name: number for name, (number, _) in pages.items()}
print(json.dumps([entered, statuses, listed, history, status, found.get("faces"), annotated]))
"""


def test_dashboard_runs_on_the_pi(
    release: Release, tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    picture = tmp_path / "a.png"
    assert cv2.imwrite(str(picture), frame_at(BARE_S, 640))
    with installed_machine(release, tmp_path, broker) as machine:
        put(machine, "/srv/visit.py", VISIT)
        put(machine, "/srv/a.png", picture.read_bytes())
        machine.run(f"systemctl enable --now {DASHBOARD}")
        journal = f"journalctl --unit {DASHBOARD} --no-pager"
        journal_line = machine.wait_until(f"{journal} | grep 'the code'", "the code").output
        (code,) = re.findall(r"the code (\S+)", journal_line)

        def visit(path: str) -> list[Any]:
            command = f"python3 /srv/visit.py {path} {code} '{PASSWORD}' /srv/a.png"
            return list(json.loads(machine.run(command).output))

        entered, pages, _, _, status, faces, annotated = visit("/setup")
        assert entered == 303
        assert pages == {"/": 200, "/history": 200, "/health": 200, "/check": 200}
        assert status == 200
        assert annotated
        found = machine.run("mask-patrol detect --json /srv/a.png 2>/dev/null").output
        assert faces == json.loads(found)["faces"]
        assert faces
        wait_for(lambda: visit("/login")[2], "the device is listed", 300)

        machine.run(f"systemctl stop {UNIT}")
        before = {event["id"] for event in listener.events}
        change_unit(machine, FAST)
        machine.run(f"systemctl start {UNIT}")
        wait_for(lambda: {e["id"] for e in listener.events} > before, "an alert", 1800)
        machine.run(f"systemctl stop {UNIT}")
        new = max({e["id"] for e in listener.events} - before)
        wait_for(lambda: new in visit("/login")[3], "the alert is in the history", 300)
        assert machine.run(f"systemctl show -P NRestarts {DASHBOARD}").output.strip() == "0"
        rating = machine.run(f"systemd-analyze security --no-pager {DASHBOARD} | tail -n 1").output
        exposure = float(re.search(r": ([\d.]+)", rating)[1])  # type: ignore[index]
        assert exposure < 2.0, rating
