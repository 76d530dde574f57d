"""The partition for the events: found, mounted, or stood for by what looks like a full disk."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from edge.outbox.outbox import Outbox
from tests.support.cli_process import ROOT

#: `MOUNTED` is what is at the folder, `FOUND` what bears the name; the root is on mmcblk0.
STAND_INS = {
    "findmnt": """case "$*" in
*--mountpoint*) echo "$MOUNTED" | grep . ;;
*root-ro) exit 1 ;;
*) echo /dev/mmcblk0p2 ;;
esac""",
    "lsblk": 'for last; do :; done; basename "${last%p[0-9]}" | tr -d 1',
    "blkid": 'for one in $FOUND; do echo "$one"; done',
    "fsck": 'echo "fsck $*" >>"$CALLS"; exit 1',
    "umount": 'echo "umount $*" >>"$CALLS"',
    "mount": """echo "mount $*" >>"$CALLS"
case "$*" in *"$BROKEN"*) exit 32 ;; esac""",
    "date": """case "$1" in
--set) echo "date $2" >>"$CALLS" ;;
*) echo "$NOW" ;;
esac""",
}


class Script:
    """mount-data on a folder, with what it asks of the system written down."""

    def __init__(self, folder: Path) -> None:
        self.calls_file = folder / "calls"
        self.state = folder / "var/lib/mask-patrol"
        self.state.mkdir(parents=True)
        (folder / "bin").mkdir()
        for name, text in STAND_INS.items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / "bin" / name).chmod(0o755)
        text = (ROOT / "systemd/storage/mount-data").read_text()
        text = text.replace("PATH=", f"PATH={folder}/bin:")
        self.script = folder / "mount-data"
        self.script.write_text(
            text.replace("/var/lib", f"{folder}/var/lib").replace("/run/", f"{folder}/run/")
        )

    def __call__(self, code: int = 0, **environment: str) -> list[str]:
        """What it asks for, of the folder as of `STATE`."""
        self.calls_file.write_text("")
        done = subprocess.run(
            ["sh", self.script],
            env={
                "CALLS": str(self.calls_file),
                "MOUNTED": "",
                "FOUND": "/dev/mmcblk0p3",
                "BROKEN": "nothing",
                "NOW": str(int(time.time()) + 60),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert ("events are in memory only" in done.stderr) == bool(code)
        return self.calls_file.read_text().replace(str(self.state), "STATE").splitlines()


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


def test_it_is_checked_and_mounted(script: Script) -> None:
    assert script() == [
        "fsck -T -y /dev/mmcblk0p3",  # which may well have mended something
        "mount -o noatime,nodev,nosuid,noexec,X-mount.mkdir /dev/mmcblk0p3 STATE",
    ]
    assert script(MOUNTED="/dev/mmcblk0p3") == []


def test_of_several_the_one_on_the_system_s_own_disk(script: Script) -> None:
    assert "/dev/mmcblk0p3" in script(FOUND="/dev/sda3 /dev/mmcblk0p3")[-1]
    assert "/dev/sda1" in script(FOUND="/dev/sda1")[-1]


@pytest.mark.parametrize("trouble", [{"FOUND": ""}, {"BROKEN": "mmcblk0p3"}])
def test_without_it_something_stands_in_its_place(script: Script, trouble: dict[str, str]) -> None:
    stopgap = "mount -t tmpfs -o nr_inodes=1,mode=755 mask-patrol-is-missing STATE"
    assert script(1, **trouble)[-1] == stopgap
    # Tried again, by hand or at a restart of the unit.
    calls = script(MOUNTED="mask-patrol-is-missing")
    assert calls[0] == "umount STATE"
    assert "/dev/mmcblk0p3" in calls[-1]


def test_the_clock_never_goes_back_behind_what_was_written(script: Script) -> None:
    for name, at_s in (("outbox.sqlite3", 1_000_000_000), ("clock", 1_700_000_000)):
        (script.state / name).touch()
        os.utime(script.state / name, (at_s, at_s))
    assert script(NOW="1600000000")[-1] == "date @1700000000"
    assert "date" not in script(NOW="1700000001")[-1]
    told = script.state.parents[2] / "run/systemd/timesync/synchronized"
    told.parent.mkdir(parents=True)
    told.touch()  # the network knows better
    assert "date" not in script(NOW="1600000000")[-1]


def test_what_stands_in_its_place_is_a_full_disk_to_the_daemon(tmp_path: Path) -> None:
    text = (ROOT / "systemd/storage/mount-data").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("mount -t tmpfs")]
    folder = tmp_path / "state"
    folder.mkdir()
    line = line.replace('"$STOPGAP"', "stopgap").replace('"$STATE"', str(folder))
    if subprocess.run(line, shell=True, check=False, capture_output=True).returncode:
        pytest.skip("not even root may mount here" if os.geteuid() == 0 else "this needs root")
    try:
        os.chown(folder, 1, 1)  # as systemd does with a StateDirectory
        before_s = int(time.time())
        outbox = Outbox(folder / "outbox.sqlite3", 100)
        assert outbox.warning
        assert outbox.put({"id": "a"}) > before_s  # a number that no event has had
        assert [event.payload for event in outbox.pending(0, 10)] == [{"id": "a"}]
        outbox.close()
    finally:
        subprocess.run(["umount", folder], check=True)
