"""Disks with the partition layout of Raspberry Pi OS, made without mounting them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from sdcard.disk_image.sparse_files import copy_sparsely
from sdcard.programs import find

from tests.pi.kernel import kernel
from tests.pi.roots import CACHE, Release, build_lock, key, root_tar

MEBI = 1 << 20
BOOT_AT, BOOT_BYTES = 4 * MEBI, 256 * MEBI
ROOT_AT = BOOT_AT + BOOT_BYTES
DISK_ID = "6d61736b"
AGENT_UNIT = """[Unit]
Description=Run the commands of the tests
After=dev-virtio\\x2dports-agent.device
BindsTo=dev-virtio\\x2dports-agent.device

[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/agent.py /dev/virtio-ports/agent
Restart=always

[Install]
WantedBy=multi-user.target
"""
#: Units that take minutes in emulation, and that no test needs.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "systemd-hwdb-update.service", "getty@tty1.service",
    "serial-getty@ttyAMA0.service", "systemd-networkd-wait-online.service",
    "NetworkManager-wait-online.service", "man-db.timer", "ssh.service",
)  # fmt: skip


def base_disk(release: Release, root_mebi: int = 1600) -> Path:
    """Return a disk of `release` with the agent. It is made once and shared: copy it before use."""
    code = "".join(
        Path(__file__).with_name(name).read_text() for name in ("disk.py", "agent.py", "kernel.py")
    )
    path = CACHE / f"base-{release.name}-{key(root_tar(release).name, code, str(root_mebi))}.img"
    with build_lock(path.name):
        if not path.exists():
            for old in CACHE.glob(f"base-{release.name}-*.img"):
                old.unlink()
            partial = path.with_name(f"partial-{path.name}")
            _make(release, partial, root_mebi)
            partial.rename(path)
    return path


def copy_disk(base: Path, to: Path) -> Path:
    """Copy a disk as a sparse file; return `to`."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", base, to], check=True)
    return to


def _make(release: Release, image: Path, root_mebi: int) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        tree = Path(scratch) / "tree"
        tree.mkdir()
        subprocess.run(["tar", "-xf", root_tar(release), "-C", tree, "--numeric-owner"], check=True)
        _configure(release, tree)
        make_image(image, tree, root_mebi)


def _configure(release: Release, tree: Path) -> None:
    """Add the differences between Raspberry Pi OS and Debian that matter here, and the agent."""
    for name in ("dev", "proc", "sys", "run"):
        (tree / name).mkdir(exist_ok=True)
    modules = tree / "usr/lib/modules"
    shutil.copytree(kernel(release).modules, modules, dirs_exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("agent.py"), tree / "usr/local/lib/agent.py")
    units = tree / "etc/systemd/system"
    (units / "agent.service").write_text(AGENT_UNIT)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "agent.service").symlink_to("/etc/systemd/system/agent.service")
    for name in MASKED:
        unit = units / name
        unit.unlink(missing_ok=True)
        unit.symlink_to("/dev/null")
    (tree / "etc/hostname").write_text("raspberrypi\n")
    (tree / "etc/hosts").write_text("127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n")
    (tree / "etc/machine-id").write_text("")
    (tree / "boot/firmware").mkdir(parents=True, exist_ok=True)
    (tree / "etc/fstab").write_text(
        f"PARTUUID={DISK_ID}-01 /boot/firmware vfat defaults 0 2\n"
        f"PARTUUID={DISK_ID}-02 / ext4 defaults,noatime 0 1\n"
    )
    add_user(tree)
    cloud = tree / "etc/cloud"
    if cloud.exists():  # the configuration of Raspberry Pi OS; disabled unless a test enables it
        (cloud / "cloud.cfg.d/99_raspberry-pi.cfg").write_text(
            "datasource_list: [ NoCloud, None ]\n"
            "datasource:\n  NoCloud:\n    seedfrom: file:///boot/firmware\n"
            "ssh_deletekeys: false\nssh_genkeytypes: []\n"
        )
        (cloud / "cloud-init.disabled").write_text("")


def add_user(tree: Path) -> None:
    """Add the default user of Raspberry Pi OS: UID 1000, without a password."""
    for name, line in (
        ("passwd", "pi:x:1000:1000:,,,:/home/pi:/bin/bash"),
        ("shadow", "pi:*:20000:0:99999:7:::"),
        ("group", "pi:x:1000:"),
        ("gshadow", "pi:!::"),
    ):
        with (tree / "etc" / name).open("a") as file:
            file.write(f"{line}\n")
    (tree / "etc/sudoers.d/010_pi-nopasswd").write_text("pi ALL=(ALL) NOPASSWD: ALL\n")
    home = tree / "home/pi"
    home.mkdir()
    shutil.chown(home, 1000, 1000)


def make_image(
    image: Path, tree: Path, root_mebi: int, boot_mebi: int = BOOT_BYTES // MEBI
) -> None:
    """Make an image with a FAT boot partition, and an ext4 root with the content of `tree`."""
    root_at = BOOT_AT + boot_mebi * MEBI
    with image.open("wb") as file:
        file.truncate(root_at + root_mebi * MEBI)
    table = (
        f"label: dos\nlabel-id: 0x{DISK_ID}\nunit: sectors\n"
        f"start={BOOT_AT // 512}, size={boot_mebi * MEBI // 512}, type=c\n"
        f"start={root_at // 512}, size={root_mebi * MEBI // 512}, type=83\n"
    )
    subprocess.run(
        [find("sfdisk"), "--quiet", image], input=table, text=True, check=True, capture_output=True
    )
    _make_boot(image, boot_mebi)
    subprocess.run(
        [find("mkfs.ext4"), "-q", "-F", "-L", "rootfs", "-d", tree,
         "-E", f"offset={root_at},root_owner=0:0", image, f"{root_mebi}m"], check=True,
    )  # fmt: skip


def _make_boot(image: Path, boot_mebi: int) -> None:
    files = {
        "cmdline.txt": f"console=tty1 root=PARTUUID={DISK_ID}-02 rootwait\n",
        "config.txt": "# For more options and information see\n[all]\n",
    }
    with tempfile.TemporaryDirectory(dir=image.parent) as scratch:
        boot = Path(scratch) / "boot.img"
        with boot.open("wb") as file:
            file.truncate(boot_mebi * MEBI)
        subprocess.run(
            [find("mkfs.vfat"), "-F", "32", "-s", "1", "-n", "bootfs", boot],
            check=True,
            capture_output=True,
        )
        for name, text in files.items():
            (Path(scratch) / name).write_text(text)
            subprocess.run([find("mcopy"), "-i", boot, Path(scratch) / name, "::"], check=True)
        with boot.open("rb") as source, image.open("r+b") as target:
            target.seek(BOOT_AT)
            copy_sparsely(source, target)
