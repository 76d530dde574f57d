"""A machine with cameras of libcamera and V4L2 that need no hardware, and the real picamera2.

The kernel of Debian 13 has what libcamera's pipeline `virtual` needs (`/dev/dma_heap`,
`/dev/udmabuf`), which the kernel of the host may lack. It runs in an emulated amd64 machine: the
emulation of arm64 would show nothing else here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.pi.roots import CACHE, MIRROR, build_lock, key

ROOT = Path(__file__).parents[2]
GUEST = Path(__file__).with_name("virtual_camera_guest.py")
PROGRAMS = ("mmdebstrap", "mke2fs", "qemu-system-x86_64")
PACKAGES = ("python3-libcamera", "python3-prctl", "linux-image-amd64", "kmod")
#: The Python packages of picamera2, which Debian does not have, and those of `edge.camera`.
WHEELS = (
    "picamera2==0.3.38", "av", "jsonschema", "msgspec", "numpy>=2", "piexif", "pillow",
    "opencv-python-headless>=4.12,<5", "simplejpeg", "tqdm", "videodev2", "v4l2-python3",
)  # fmt: skip
PYTHON, TAG = "3.13", "manylinux_2_28_x86_64"
DISK_BYTES = 4 << 30
#: Time limit of the machine, which takes a minute on two idle cores.
MACHINE_S = 900
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc; mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2> /dev/null; mount -t tmpfs tmp /tmp
# The name under which picamera2 looks for a heap.
ln -s system /dev/dma_heap/linux,cma
modprobe 9pnet_virtio && modprobe 9p
# A V4L2 camera, /dev/video0.
modprobe vivid n_devs=1 node_types=0x1
mount -t 9p -o trans=virtio,version=9p2000.L share /mnt
cd /mnt && python3 guest.py > /mnt/output 2>&1
echo $? > /mnt/code
sync; echo o > /proc/sysrq-trigger; sleep 60
"""
#: Configuration of the camera, which shows vertical bars.
CAMERA = """%YAML 1.1
---
"Virtual0":
  supported_formats:
  - {width: 640, height: 480, frame_rates: [30, 30]}
  - {width: 1280, height: 720, frame_rates: [30, 30]}
  test_pattern: "bars"
  location: "CameraLocationFront"
  model: "Virtual Video Device"
...
"""


def run_guest(folder: Path) -> tuple[int, str]:
    """Run `virtual_camera_guest.py` in the machine; return its exit code and output.

    `folder` is an empty folder, which the machine shares.
    """
    image = _machine()
    shutil.copytree(ROOT / "edge" / "camera", folder / "edge" / "camera")
    for package in ("common", "config"):
        shutil.copytree(ROOT / "edge" / package, folder / "edge" / package)
    shutil.copyfile(ROOT / "edge" / "__init__.py", folder / "edge" / "__init__.py")
    shutil.copyfile(GUEST, folder / "guest.py")
    console = folder / "console"
    with console.open("wb") as file:
        subprocess.run(
            [
                "nice", "-n", "10", "qemu-system-x86_64", "-accel", "tcg,thread=multi",
                "-cpu", "max", "-smp", "2", "-m", "1536",
                "-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd"),
                "-append", "console=ttyS0 loglevel=4 root=/dev/vda rw init=/init",
                "-drive", f"file={image / 'disk'},format=raw,if=virtio,snapshot=on",
                "-virtfs", f"local,path={folder},mount_tag=share,security_model=none",
                "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
            ],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=MACHINE_S, check=False,
        )  # fmt: skip
    code, output = folder / "code", folder / "output"
    shown = output.read_text(errors="replace") if output.exists() else ""
    if not code.exists():
        raise AssertionError(f"{shown}\n--- console:\n{console.read_text(errors='replace')}")
    return int(code.read_text()), shown


def _machine() -> Path:
    """Return the folder with the kernel, the initramfs and the disk; building it takes minutes."""
    folder = CACHE / f"virtual-camera-{key(*PACKAGES, *WHEELS, INIT, CAMERA)}"
    with build_lock(folder.name):
        if not folder.exists():
            partial = folder.with_name(f"partial-{folder.name}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _build(partial)
            partial.rename(folder)
    return folder


def _build(folder: Path) -> None:
    root = folder / "root"
    subprocess.run(
        [
            "nice", "-n", "10", "mmdebstrap", "--architectures=amd64", "--variant=minbase",
            f"--include={','.join(PACKAGES)}", "--skip=output/dev",
            '--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/locale/*",
            "trixie", str(root), MIRROR,
        ],
        check=True,
    )  # fmt: skip
    target = root / f"usr/local/lib/python{PYTHON}/dist-packages"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target,
            "--only-binary=:all:", f"--python-version={PYTHON}", f"--platform={TAG}",
            "--platform=manylinux2014_x86_64", *WHEELS,
        ],
        check=True,
    )  # fmt: skip
    camera = root / "usr/share/libcamera/pipeline/virtual/virtual.yaml"
    camera.parent.mkdir(parents=True)
    camera.write_text(CAMERA)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        shutil.copyfile(next((root / "boot").glob(pattern)), folder / name)
    disk = folder / "disk"
    with disk.open("wb") as file:
        os.truncate(file.fileno(), DISK_BYTES)
    subprocess.run(["nice", "-n", "10", "mke2fs", "-q", "-t", "ext4", "-d", root, disk], check=True)
    shutil.rmtree(root)
