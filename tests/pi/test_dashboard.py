"""The dashboard beside the daemon, on the Pi itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2

from tests.pi.door import FAST, UNIT, Listener, change_unit, installed_machine, put
from tests.pi.machine import wait_for
from tests.pi.roots import Release
from tests.support.brokers import Mosquitto
from tests.support.visit_clip import BARE_S, frame_at

DASHBOARD = "mask-patrol-dashboard.service"
PASSWORD = "a long one, to be sure"
#: In the machine: sets the password by the code, or logs in; then tells how each page answers,
#: whether the device is listed, the history, and what the Check page finds in a picture.
VISIT = """
import base64, http.client, json, re, sys, urllib.parse
way, secret, password, picture = sys.argv[1:]
cookie = ""
def ask(method, path, body=None, **more):
    global cookie
    caller = http.client.HTTPConnection("127.0.0.1", 8080, timeout=300)
    headers = {"Origin": "http://127.0.0.1:8080", "Cookie": cookie, **more}
    caller.request(method, path, body, headers)
    answer = caller.getresponse()
    cookie = (answer.getheader("set-cookie") or cookie).split(";")[0]
    return answer.status, answer.read()
fields = {"code": secret, "password": password, "again": password}
entered, _ = ask("POST", way, urllib.parse.urlencode(fields))
pages = {path: ask("GET", path) for path in ("/", "/history", "/health", "/check")}
listed = "door1" in pages["/health"][1].decode()
history = ask("GET", "/history.csv")[1].decode()
status, found = ask("POST", "/check/picture", open(picture, "rb").read(), **{"X-Name": "a.png"})
found = json.loads(found)
annotated = base64.b64decode(found.pop("annotated", ""))[:3] == b"\\xff\\xd8\\xff"
codes = {path: code for path, (code, _) in pages.items()}
print(json.dumps([entered, codes, listed, history, status, found.get("faces"), annotated]))
"""


def test_the_dashboard_runs_on_the_pi(
    release: Release, tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    picture = tmp_path / "a.png"
    assert cv2.imwrite(str(picture), frame_at(BARE_S, 640))
    with installed_machine(release, tmp_path, broker) as machine:
        put(machine, "/srv/visit.py", VISIT)
        put(machine, "/srv/a.png", picture.read_bytes())
        machine.run(f"systemctl enable --now {DASHBOARD}")
        journal = f"journalctl --unit {DASHBOARD} --no-pager"
        said = machine.wait_until(f"{journal} | grep 'the code'", "the code").output
        (code,) = re.findall(r"the code (\S+)", said)

        def visit(way: str) -> list[Any]:
            command = f"python3 /srv/visit.py {way} {code} '{PASSWORD}' /srv/a.png"
            return list(json.loads(machine.run(command).output))

        entered, pages, _, _, status, faces, annotated = visit("/setup")
        assert entered == 303
        assert pages == {"/": 200, "/history": 200, "/health": 200, "/check": 200}
        assert status == 200
        assert annotated
        found = machine.run("mask-patrol detect --json /srv/a.png 2>/dev/null").output
        assert faces == json.loads(found)["faces"]
        assert faces
        wait_for(lambda: visit("/login")[2], "it hears the device", 300)

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
