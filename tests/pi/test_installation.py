"""The installed bundle on both releases: its events, and its scores compared with a desktop's."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.pi.device import FAST, UNIT, Listener, change_unit, installed_machine, put
from tests.pi.machine import wait_for
from tests.pi.roots import Release
from tests.support.cli_process import mask_patrol
from tests.support.footage.visit_clip import frame_at
from tests.support.mqtt.brokers import Mosquitto

#: Times in the demo clip: a bare face, a masked face, and a face just before it is masked.
TIMES_S = (5.0, 13.0, 20.0)
#: Largest allowed differences between two processors, whose kernels for int8 round differently: of
#: the boxes in pixels, and of the scores.
BOX_PX, SCORE = 3, 0.02


def test_demo_clip_gives_its_four_events(
    release: Release, tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    with installed_machine(release, tmp_path, broker) as machine:
        listener.wait_online()
        assert machine.run(f"systemctl is-active {UNIT}").output.strip() == "active"
        assert listener.payloads("info")
        rating = machine.run(f"systemd-analyze security --no-pager {UNIT} | tail -n 1").output
        exposure = float(re.search(r": ([\d.]+)", rating)[1])  # type: ignore[index]
        assert exposure < 2.0, rating

        machine.run(f"systemctl stop {UNIT}")
        assert listener.payloads("status")[-1] == "offline"
        seen = len(listener.events)
        change_unit(machine, FAST)
        machine.run("rm -f /var/lib/mask-patrol/outbox.sqlite3*")
        machine.run(f"systemctl start {UNIT}")
        wait_for(lambda: len(listener.events) >= seen + 4, "the demo's four events", 1800)
        machine.run(f"systemctl stop {UNIT}")
        events = Counter((e["event_type"], e["ended_by"]) for e in listener.events[seen : seen + 4])
        assert events == {
            ("no_mask_start", None): 2,
            ("no_mask_end", "left"): 1,
            ("no_mask_end", "masked"): 1,
        }


def test_faces_equal_those_on_a_desktop(
    release: Release, tmp_path: Path, broker: Mosquitto
) -> None:
    pictures = []
    for seconds in TIMES_S:
        pictures.append(tmp_path / f"{seconds:.0f}.png")
        assert cv2.imwrite(str(pictures[-1]), frame_at(seconds, 640))
    here = faces(mask_patrol(tmp_path, "detect", "--json", *pictures).stdout)
    with installed_machine(release, tmp_path, broker) as machine:
        for picture in pictures:
            put(machine, f"/srv/{picture.name}", picture.read_bytes())
        names = " ".join(f"/srv/{picture.name}" for picture in pictures)
        there = faces(machine.run(f"mask-patrol detect --json {names} 2>/dev/null").output)
    assert any(here)
    for on_desktop, on_pi in zip(here, there, strict=True):
        assert [face["label"] for face in on_desktop] == [face["label"] for face in on_pi]
        for one, other in zip(on_desktop, on_pi, strict=True):
            assert one["box"] == pytest.approx(other["box"], abs=BOX_PX)
            assert one["score"] == pytest.approx(other["score"], abs=SCORE)


def faces(lines: str) -> list[list[dict[str, Any]]]:
    """Return the faces in each picture, as `mask-patrol detect --json` prints them."""
    return [json.loads(line)["faces"] for line in lines.splitlines()]
