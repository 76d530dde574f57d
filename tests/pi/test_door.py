"""From the bundle to the alert, on both systems."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.brokers import Mosquitto
from tests.pi.door import (
    FAST,
    UNIT,
    Listener,
    change_unit,
    installed_machine,
)
from tests.pi.machine import wait_for
from tests.pi.roots import Release

#: The same picture and model on another processor.
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
