"""The read-only root: the command in a folder, and the init in a separate mount namespace."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli_process import ROOT
from tests.support.systemd.debian_container import debian, require_tools

FOLDER = ROOT / "systemd/storage"
LINE = "console=tty1 root=PARTUUID=6d61736b-02 rootwait quiet"
#: The stub of findmnt: DATA is the type of the file system at the daemon's folder, OVER that of the
#: root; BOOT is `ro` for a read-only boot partition.
FINDMNT = """#!/bin/sh
case "$*" in
*--fstab*) echo "$FSTAB" | grep . ;;
*--mountpoint*) echo "$DATA" | grep . ;;
*--options\\ ro*) [ "$BOOT" = ro ] && echo /boot/firmware ;;
*/) echo "${OVER:-ext4}" ;;
esac
"""
#: A script that runs instead of systemd, and prints what it finds.
INIT = """#!/bin/sh
echo "parameters: $*"
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
#: The state in which the kernel starts the init: a read-only root, with /dev mounted.
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


class Command:
    """mask-patrol-read-only in a root folder with a boot partition."""

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
            "id": "#!/bin/sh\necho ${UID_REPLY:-0}\n",
            "sync": "#!/bin/sh\n",
            "systemctl": "#!/bin/sh\necho ${UNIT:-enabled}\n",
        }.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        text = (FOLDER / "mask-patrol-read-only").read_text()
        text = re.sub(r"(?<![\w}.])/(boot|usr/local|proc|opt)/", rf"{folder}/\1/", text)
        self.script = folder / "mask-patrol-read-only"
        self.script.write_text(text.replace("PATH=", f"PATH={folder}/bin:"))

    def __call__(self, *words: str, code: int = 0, **environment: str) -> str:
        """Run the command, which must exit with `code`; return its output.

        `environment` sets the replies of the stubs.
        """
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
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_read_only_root_is_turned_on_and_off(command: Command) -> None:
    assert command() == "The root is writable.\n"
    for _ in range(2):
        assert "read-only after the next boot (sudo reboot)" in command("on")
        assert command.line.read_text() == f"{LINE} init={command.init}\n"
    assert "and read-only from then on" in command()
    (command.root / "proc/cmdline").write_text(command.line.read_text())
    assert "the overlay could not be mounted" in command()
    assert "lost at the next boot" in command(OVER="overlay")
    for _ in range(2):
        assert "writable after the next boot (sudo reboot)" in command("off", BOOT="ro")
        assert command.line.read_text() == f"{LINE}\n"
    remounts = (command.root / "calls").read_text().splitlines()
    assert remounts == [f"mount -o remount,rw {command.root}/boot/firmware"]
    assert "until the next boot" in command(OVER="overlay")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", "is not a separate partition"),
        ("overlay", "is in memory"),
        ("tmpfs", "is in memory"),
    ],
)
def test_missing_data_partition_is_refused(command: Command, data: str, expected: str) -> None:
    assert expected in command("on", code=1, DATA=data)
    assert command.line.read_text() == f"{LINE}\n"


def test_data_partition_must_be_mounted_at_boot(command: Command) -> None:
    output = command("on", code=1, UNIT="disabled")
    assert "sudo systemctl enable mask-patrol-data.service" in output
    command("on", UNIT="disabled", FSTAB="/dev/sda1")
    assert command.line.read_text() == f"{LINE} init={command.init}\n"


def test_trial_of_an_update_is_refused(command: Command) -> None:
    (command.root / "opt/mask-patrol").mkdir(parents=True)
    (command.root / "opt/mask-patrol/trial").write_text("1\n")
    assert "wait until it has ended" in command("on", code=1)


def test_unbootable_state_is_refused(command: Command) -> None:
    (command.root / "proc/filesystems").write_text("\text4\n")
    assert "no overlay" in command("on", code=1)
    (command.root / "proc/filesystems").write_text("nodev\toverlay\n")
    command.line.write_text(f"{LINE} init=/usr/lib/raspberrypi-sys-mods/firstboot\n")
    assert "names another init" in command("on", code=1)
    command.line.write_text(f"{LINE}\n")
    command.init.unlink()
    assert "install Mask Patrol again" in command("on", code=1)
    command.line.unlink()
    assert "only on Raspberry Pi OS" in command("on", code=1)


@pytest.mark.parametrize("words", [("of",), ("on", "now"), ("--off",)])
def test_other_arguments_are_refused(command: Command, words: tuple[str, ...]) -> None:
    assert "sudo mask-patrol-read-only on" in command(*words, code=2)


def test_on_and_off_need_root(command: Command) -> None:
    for word in ("on", "off"):
        assert f"sudo mask-patrol-read-only {word}" in command(word, code=2, UID_REPLY="1000")
    assert "Exit codes" in command("--help", UID_REPLY="1000")


def boot(folder: Path, delete: str = "") -> str:
    """Run overlay-init in a Debian tree without the file `delete`; return the output of INIT."""
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
    if delete:
        (tree / delete).unlink()
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


@pytest.mark.slow
def test_changes_to_the_root_stay_in_memory(tmp_path: Path) -> None:
    output = boot(tmp_path).splitlines()
    assert output[:6] == [
        "parameters: quiet splash",
        "root: overlay",
        "below: tmpfs",
        "here: new",
        "there: old",
        "proc: Linux, dev: 1",
    ]
    assert output[6:] == [
        "proc /proc proc defaults 0 0",
        "PARTUUID=6d61736b-01 /boot/firmware vfat defaults,ro 0 2",
        "#PARTUUID=6d61736b-02 / ext4 defaults,noatime 0 1",
        "LABEL=other /srv ext4 defaults 0 2",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["usr/bin/sed", "usr/sbin/pivot_root"])
def test_system_boots_without_the_overlay(tmp_path: Path, missing: str) -> None:
    output = boot(tmp_path, missing)
    assert output.startswith("parameters: quiet splash\n")
    assert "root: overlay" not in output
