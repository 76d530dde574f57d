"""The read-only root: its switch in a folder, its first process in a tree of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli_process import ROOT
from tests.support.debian_container import debian, require_tools

FOLDER = ROOT / "systemd/storage"
LINE = "console=tty1 root=PARTUUID=6d61736b-02 rootwait quiet"
#: Answers what findmnt is asked: what is mounted at the daemon's folder, and whether the boot
#: partition is read-only.
FINDMNT = """#!/bin/sh
case "$*" in
*--fstab*) echo "$FSTAB" | grep . ;;
*--mountpoint*) echo "$DATA" | grep . ;;
*--options\\ ro*) [ "$BOOT" = ro ] && echo /boot/firmware ;;
*/) echo "${OVER:-ext4}" ;;
esac
"""
#: Takes the place of systemd in the tree, and tells what it finds.
INIT = """#!/bin/sh
echo "words: $*"
echo "root: $(findmnt --noheadings --output FSTYPE /)"
echo "below: $(findmnt --noheadings --output FSTYPE,OPTIONS /media/root-rw | cut -d ' ' -f 1)"
echo new >/etc/hostname && echo "here: $(cat /etc/hostname)"
echo "there: $(cat /media/root-ro/etc/hostname)"
echo "proc: $(cat /proc/sys/kernel/ostype), dev: $(ls /dev | grep -cx null)"
cat /etc/fstab
"""
FSTAB = """proc /proc proc defaults 0 0
PARTUUID=6d61736b-01 /boot/firmware vfat defaults 0 2
PARTUUID=6d61736b-02 / ext4 defaults,noatime 0 1
LABEL=other /srv ext4 defaults 0 2
"""
#: As the kernel leaves it to the first process: a root that is read-only, with devices.
START = """set -e
mount --bind {tree} {tree}
mount -o remount,bind,ro {tree}
mount --bind /dev {tree}/dev
mount -t proc proc {tree}/proc
cd {tree}
pivot_root . mnt
umount -l /mnt
exec /sbin/overlay-init quiet splash
"""


class Switch:
    """mask-patrol-read-only on a root folder with a boot partition."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.line = folder / "boot/firmware/cmdline.txt"
        self.line.parent.mkdir(parents=True)
        self.line.write_text(f"{LINE}\n")
        (folder / "proc").mkdir()
        (folder / "proc/cmdline").write_text(f"{LINE} quiet\n")
        (folder / "proc/filesystems").write_text("nodev\toverlay\n\text4\n")
        self.init = folder / "usr/local/lib/mask-patrol/overlay-init"
        self.init.parent.mkdir(parents=True)
        shutil.copy(FOLDER / "overlay-init", self.init)
        (folder / "bin").mkdir()
        for name, text in {
            "findmnt": FINDMNT,
            "mount": f'#!/bin/sh\necho "mount $*" >>{folder}/calls\n',
            "modprobe": "#!/bin/sh\nexit 1\n",
            "id": "#!/bin/sh\necho ${WHO:-0}\n",
            "sync": "#!/bin/sh\n",
            "systemctl": "#!/bin/sh\necho ${UNIT:-enabled}\n",
        }.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        text = (FOLDER / "mask-patrol-read-only").read_text()
        text = re.sub(r"(?<![\w}.])/(boot|usr/local|proc|opt)/", rf"{folder}/\1/", text)
        self.script = folder / "switch"
        self.script.write_text(text.replace("PATH=", f"PATH={folder}/bin:"))

    def __call__(self, *words: str, code: int = 0, **environment: str) -> str:
        """What it says; `DATA`, `BOOT` and `WHO` tell the stand-ins what to answer."""
        environment = {"DATA": "ext4", "BOOT": "rw", **environment}
        done = subprocess.run(
            ["sh", self.script, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def switch(tmp_path: Path) -> Switch:
    return Switch(tmp_path)


def test_it_is_turned_on_and_off_again(switch: Switch) -> None:
    assert switch() == "The root is written to.\n"
    for _ in range(2):
        assert "read-only (sudo reboot)" in switch("on")
        assert switch.line.read_text() == f"{LINE} init={switch.init}\n"
    assert "and read-only from then on" in switch()
    (switch.root / "proc/cmdline").write_text(switch.line.read_text())
    assert "no overlay could be laid over it" in switch()
    assert "gone after the next start" in switch(OVER="overlay")
    for _ in range(2):
        assert "is written to (sudo reboot)" in switch("off", BOOT="ro")
        assert switch.line.read_text() == f"{LINE}\n"
    remounts = (switch.root / "calls").read_text().splitlines()
    assert remounts == [f"mount -o remount,rw {switch.root}/boot/firmware"]
    assert "until the next start" in switch(OVER="overlay")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("", "no partition of its own"),
        ("overlay", "lies in memory"),
        ("tmpfs", "lies in memory"),
    ],
)
def test_the_events_are_not_put_at_risk(switch: Switch, data: str, complaint: str) -> None:
    assert complaint in switch("on", code=1, DATA=data)
    assert switch.line.read_text() == f"{LINE}\n"


def test_the_partition_must_be_there_after_the_next_start_too(switch: Switch) -> None:
    said = switch("on", code=1, UNIT="disabled")
    assert "sudo systemctl enable mask-patrol-data.service" in said
    switch("on", UNIT="disabled", FSTAB="/dev/sda1")
    assert switch.line.read_text() == f"{LINE} init={switch.init}\n"


def test_an_update_is_not_disturbed(switch: Switch) -> None:
    (switch.root / "opt/mask-patrol").mkdir(parents=True)
    (switch.root / "opt/mask-patrol/trial").write_text("1\n")
    assert "wait for its end" in switch("on", code=1)


def test_nothing_is_turned_on_that_would_not_start(switch: Switch) -> None:
    (switch.root / "proc/filesystems").write_text("\text4\n")
    assert "no overlay" in switch("on", code=1)
    (switch.root / "proc/filesystems").write_text("nodev\toverlay\n")
    switch.line.write_text(f"{LINE} init=/usr/lib/raspberrypi-sys-mods/firstboot\n")
    assert "another init" in switch("on", code=1)
    switch.line.write_text(f"{LINE}\n")
    switch.init.unlink()
    assert "install Mask Patrol again" in switch("on", code=1)
    switch.line.unlink()
    assert "Raspberry Pi OS alone" in switch("on", code=1)


@pytest.mark.parametrize("words", [("of",), ("on", "now"), ("--off",)])
def test_other_words_are_not_understood(switch: Switch, words: tuple[str, ...]) -> None:
    assert "sudo mask-patrol-read-only on" in switch(*words, code=2)


def test_only_root_turns_it(switch: Switch) -> None:
    for word in ("on", "off"):
        assert f"sudo mask-patrol-read-only {word}" in switch(word, code=2, WHO="1000")
    assert "Exit codes" in switch("--help", WHO="1000")


def first_process(folder: Path, break_it: str = "") -> str:
    """What stands in for systemd says when overlay-init has started it."""
    require_tools()
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        pytest.skip("this kernel has no overlay file system")
    tree = folder / "tree"
    tree.mkdir()
    subprocess.run(["tar", "-xf", debian("bookworm"), "-C", tree], check=True)
    (tree / "etc/fstab").write_text(FSTAB)
    (tree / "etc/hostname").write_text("old\n")
    init = tree / "usr/sbin/init"
    init.unlink(missing_ok=True)
    init.write_text(INIT)
    init.chmod(0o755)
    shutil.copy(FOLDER / "overlay-init", tree / "usr/sbin/overlay-init")
    if break_it:
        (tree / break_it).unlink()
    command = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private"]
    done = subprocess.run(
        [*command, "sh", "-c", START.format(tree=tree)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tree / "etc/hostname").read_text() == "old\n"
    assert (tree / "etc/fstab").read_text() == FSTAB
    assert not list((tree / "mnt").iterdir())
    return done.stdout


def test_what_is_written_to_the_root_lies_in_memory(tmp_path: Path) -> None:
    said = first_process(tmp_path).splitlines()
    assert said[:6] == [
        "words: quiet splash",
        "root: overlay",
        "below: tmpfs",
        "here: new",
        "there: old",
        "proc: Linux, dev: 1",
    ]
    assert said[6:] == [
        "proc /proc proc defaults 0 0",
        "PARTUUID=6d61736b-01 /boot/firmware vfat defaults,ro 0 2",
        "#PARTUUID=6d61736b-02 / ext4 defaults,noatime 0 1",
        "LABEL=other /srv ext4 defaults 0 2",
    ]


@pytest.mark.parametrize("missing", ["usr/bin/sed", "usr/sbin/pivot_root"])
def test_without_an_overlay_the_system_starts_all_the_same(tmp_path: Path, missing: str) -> None:
    said = first_process(tmp_path, missing)
    assert said.startswith("words: quiet splash\n")
    assert "root: overlay" not in said
