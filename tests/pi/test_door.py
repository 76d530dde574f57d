"""From the bundle to the alert, on both systems."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import cv2

from tests.pi.door import FAST, UNIT, Listener, change_unit, installed_machine, put
from tests.pi.machine import Machine, wait_for
from tests.pi.roots import Release
from tests.support.brokers import Mosquitto
from tests.support.cli_process import mask_patrol
from tests.support.visit_clip import frame_at

#: Seconds of the demo: a bare face, a masked one, one that is about to be masked.
LOOKS_S = (5.0, 13.0, 20.0)
#: How far scores may lie apart on the other processor: in the same runtime, and in another.
SAME_RUNTIME, OTHER_RUNTIME = 1e-6, 0.02


def test_the_bundle_is_installed_and_the_demo_gives_its_events(
    release: Release, tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    with installed_machine(release, tmp_path, broker) as machine:
        listener.wait_online()
        assert machine.run(f"systemctl is-active {UNIT}").output.strip() == "active"
        assert listener.said("info")
        rating = machine.run(f"systemd-analyze security --no-pager {UNIT} | tail -n 1").output
        exposure = float(re.search(r": ([\d.]+)", rating)[1])  # type: ignore[index]
        assert exposure < 2.0, rating

        machine.run(f"systemctl stop {UNIT}")
        assert listener.said("status")[-1] == "offline"
        seen = len(listener.events)
        change_unit(machine, FAST)
        machine.run("rm -f /var/lib/mask-patrol/outbox.sqlite3*")
        machine.run(f"systemctl start {UNIT}")
        wait_for(lambda: len(listener.events) >= seen + 4, "the demo's four events", 1800)
        machine.run(f"systemctl stop {UNIT}")
        story = Counter((e["event_type"], e["ended_by"]) for e in listener.events[seen : seen + 4])
        assert story == {
            ("no_mask_start", None): 2,
            ("no_mask_end", "left"): 1,
            ("no_mask_end", "masked"): 1,
        }


def test_it_sees_what_a_desktop_sees(release: Release, tmp_path: Path, broker: Mosquitto) -> None:
    pictures = []
    for seconds in LOOKS_S:
        pictures.append(tmp_path / f"{seconds:.0f}.png")
        assert cv2.imwrite(str(pictures[-1]), frame_at(seconds, 640))
    here = found(mask_patrol(tmp_path, "detect", "--json", *pictures).stdout)
    with installed_machine(release, tmp_path, broker) as machine:
        for picture in pictures:
            put(machine, f"/srv/{picture.name}", picture.read_bytes())
        names = " ".join(f"/srv/{picture.name}" for picture in pictures)
        there = found(machine.run(f"mask-patrol detect --json {names} 2>/dev/null").output)
        tolerance = SAME_RUNTIME if runtime_of(machine) == "tflite" else OTHER_RUNTIME
    assert any(here)
    for ours, theirs in zip(here, there, strict=True):
        assert [face["label"] for face in ours] == [face["label"] for face in theirs]
        for mine, yours in zip(ours, theirs, strict=True):
            assert mine["box"] == yours["box"]
            assert abs(mine["score"] - yours["score"]) <= tolerance


def found(lines: str) -> list[list[dict[str, Any]]]:
    """The faces in each picture."""
    return [json.loads(line)["faces"] for line in lines.splitlines()]


def runtime_of(machine: Machine) -> str:
    """`tflite`, which the tests' own Python 3.11 has, too, or `litert`."""
    seen = machine.run("ls /opt/mask-patrol/current/lib/python3*/site-packages").output
    return "tflite" if "tflite_runtime" in seen else "litert"
