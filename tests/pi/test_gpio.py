"""Our pins through lgpio and the kernel's driver of a GPIO chip, on an emulated arm64 machine.

Debian's kernels have no `gpio-sim`. The emulated board has a PL061, a chip with the lines 0 to 7.
Its driver keeps the level of an output whose process has ended, as the kernel of Raspberry Pi OS
does. The machine is in memory: it has a kernel, a Python, and what the pins need.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from bundle.wheels import Target, cached_wheels, fetch_wheels, pins_for

from tests.pi.kernel import _add
from tests.pi.roots import BOOKWORM, kernel_tar, python_tar
from tests.support.cli_process import ROOT

#: Time limit of the machine, which takes a minute on two idle cores.
MACHINE_S = 900
PACKAGES = ("msgspec", "gpiozero", "colorzero", "lgpio", "setuptools")
#: gpiozero asks which Raspberry Pi this is: a model 4 B.
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mount -t debugfs debug /sys/kernel/debug
printf 'Revision\\t: c03114\\n' > /tmp/cpuinfo
/bin/busybox mount --bind /tmp/cpuinfo /proc/cpuinfo
cd /srv && PYTHONPATH=/srv PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3.11 gpio_guest.py 2>&1
echo "exit code $?"
/bin/busybox sync
/bin/busybox poweroff -f
"""


def packed(root: Path) -> bytes:
    """Return the folder as an archive that the kernel unpacks."""
    archive = io.BytesIO()
    for path in sorted(root.rglob("*")):
        content = b""
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        _add(archive, str(path.relative_to(root)), content, path.lstat().st_mode)
    _add(archive, "TRAILER!!!", b"", 0)
    return archive.getvalue()


def test_pins_are_switched_through_lgpio(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("bin", "proc", "sys", "dev", "tmp", "srv"):
        (root / name).mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-xf", python_tar(BOOKWORM), "-C", root], check=True)
    package = tmp_path / "package"
    package.mkdir()
    subprocess.run(["tar", "-xf", kernel_tar(BOOKWORM), "-C", package], check=True)
    shutil.copy(package / "bin/busybox", root / "bin/busybox")
    target = Target(BOOKWORM.python, "aarch64")
    fetch_wheels(target)
    for pin, wheel in cached_wheels(pins_for(target), target.folder).items():
        if pin.name in PACKAGES:
            zipfile.ZipFile(wheel).extractall(root / "srv")
    for name in ("__init__.py", "common", "config", "outputs"):
        source, copy = ROOT / "edge" / name, root / "srv/edge" / name
        copy.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    shutil.copy(Path(__file__).with_name("gpio_guest.py"), root / "srv")
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    initramfs = tmp_path / "initramfs.gz"
    initramfs.write_bytes(gzip.compress(packed(root), 1))
    (kernel,) = (package / "boot").glob("vmlinuz-*")
    result = subprocess.run(
        [
            "nice", "-n", "10", "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72",
            "-smp", "2", "-m", "1536", "-accel", "tcg,thread=multi", "-kernel", str(kernel),
            "-initrd", str(initramfs), "-append", "console=ttyAMA0 loglevel=4", "-serial", "stdio",
            "-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot",
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MACHINE_S, check=False,
    )  # fmt: skip
    assert "exit code 0" in result.stdout, result.stdout + result.stderr
    assert [line for line in result.stdout.splitlines() if line.startswith("ok ")] == [
        "ok pins_are_switched",
        "ok pin_of_another_process_is_reported",
        "ok level_stays_after_a_kill_until_the_pin_is_closed",
        "ok nothing_is_left_in_the_current_folder",
    ], result.stdout
