"""mount-data mounts the data partition or, if this fails, a file system without any space."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from edge.outbox.outbox import Outbox
from tests.support.cli_process import ROOT

#: Stubs: `MOUNTED` is what is mounted at the folder, `FOUND` the partitions with the label. The
#: root is on mmcblk0.
STUBS = {
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
    """mount-data in a folder, with stubs that log their calls."""

    def __init__(self, folder: Path) -> None:
        self.calls_file = folder / "calls"
        self.state = folder / "var/lib/mask-patrol"
        self.state.mkdir(parents=True)
        (folder / "bin").mkdir()
        for name, text in STUBS.items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / "bin" / name).chmod(0o755)
        text = (ROOT / "systemd/storage/mount-data").read_text()
        text = text.replace("PATH=", f"PATH={folder}/bin:")
        self.script = folder / "mount-data"
        self.script.write_text(
            text.replace("/var/lib", f"{folder}/var/lib").replace("/run/", f"{folder}/run/")
        )

    def __call__(self, code: int = 0, **environment: str) -> list[str]:
        """Run the script, which must exit with `code`; return the calls of the stubs.

        `STATE` in the calls stands for the folder of the data.
        """
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


def test_partition_is_checked_and_mounted(script: Script) -> None:
    assert script() == [
        "fsck -T -y /dev/mmcblk0p3",  # the stub exits with 1, as fsck does after repairs
        "mount -o noatime,nodev,nosuid,noexec,X-mount.mkdir /dev/mmcblk0p3 STATE",
    ]
    assert script(MOUNTED="/dev/mmcblk0p3") == []


def test_partition_on_the_disk_of_the_root_is_preferred(script: Script) -> None:
    assert "/dev/mmcblk0p3" in script(FOUND="/dev/sda3 /dev/mmcblk0p3")[-1]
    assert "/dev/sda1" in script(FOUND="/dev/sda1")[-1]


@pytest.mark.parametrize("problem", [{"FOUND": ""}, {"BROKEN": "mmcblk0p3"}])
def test_full_disk_replaces_missing_partition(script: Script, problem: dict[str, str]) -> None:
    full_disk = "mount -t tmpfs -o nr_inodes=1,mode=755 mask-patrol-is-missing STATE"
    assert script(1, **problem)[-1] == full_disk
    # A second run, for example after a restart of the unit, replaces the full disk.
    calls = script(MOUNTED="mask-patrol-is-missing")
    assert calls[0] == "umount STATE"
    assert "/dev/mmcblk0p3" in calls[-1]


def test_clock_is_set_to_the_newest_file(script: Script) -> None:
    for name, at_s in (("outbox.sqlite3", 1_000_000_000), ("clock", 1_700_000_000)):
        (script.state / name).touch()
        os.utime(script.state / name, (at_s, at_s))
    assert script(NOW="1600000000")[-1] == "date @1700000000"
    assert "date" not in script(NOW="1700000001")[-1]
    synchronized = script.state.parents[2] / "run/systemd/timesync/synchronized"
    synchronized.parent.mkdir(parents=True)
    synchronized.touch()  # this file exists if the time is from the network
    assert "date" not in script(NOW="1600000000")[-1]


def test_stand_in_is_a_full_disk_for_the_daemon(tmp_path: Path) -> None:
    text = (ROOT / "systemd/storage/mount-data").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("mount -t tmpfs")]
    folder = tmp_path / "state"
    folder.mkdir()
    line = line.replace('"$FULL_DISK"', "full-disk").replace('"$STATE"', str(folder))
    if subprocess.run(line, shell=True, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here" if os.geteuid() == 0 else "mounting needs root")
    try:
        os.chown(folder, 1, 1)  # systemd sets the owner of a StateDirectory
        before_s = int(time.time())
        outbox = Outbox(folder / "outbox.sqlite3", 100)
        assert outbox.warning
        assert outbox.put({"id": "a"}) > before_s  # a larger number than any earlier event
        assert [event.payload for event in outbox.pending(0, 10)] == [{"id": "a"}]
        outbox.close()
    finally:
        subprocess.run(["umount", folder], check=True)
