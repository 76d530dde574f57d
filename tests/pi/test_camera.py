"""A V4L2 camera in the emulated machine: the kernel's virtual camera `vivid`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.pi.device import CONFIG, SETTINGS, UNIT, Listener, installed_machine, put
from tests.pi.machine import Machine, wait_for
from tests.pi.roots import Release
from tests.support.mqtt.brokers import Mosquitto

CAMERA = f"""{SETTINGS}[camera]
source = "/dev/video0"
width_px = 320
height_px = 240
fps = 5
timeout_s = 5
"""
#: A script for the machine that sets a control of the camera by its name.
SET_CONTROL = """
import fcntl, struct, sys
QUERY, SET, NEXT = 0xC0445624, 0xC008561C, 0x80000000
name, value = sys.argv[1], int(sys.argv[2])
with open("/dev/video0", "rb", buffering=0) as camera:
    number = 0
    while True:
        control = bytearray(struct.pack("<I", number | NEXT).ljust(68, b"\\0"))
        fcntl.ioctl(camera, QUERY, control)
        number = struct.unpack_from("<I", control)[0]
        if control[8:40].split(b"\\0")[0].decode() == name:
            break
    fcntl.ioctl(camera, SET, struct.pack("<Ii", number, value))
"""


def set_control(machine: Machine, name: str, value: int) -> None:
    machine.run(f"python3 /srv/control.py '{name}' {value}")


def newest(listener: Listener) -> dict[str, Any]:
    """Return the last health report, or {} if there is none yet."""
    return dict((listener.payloads("health") or [{}])[-1])


def test_v4l2_camera_is_read_and_reopened(
    release: Release, tmp_path: Path, broker: Mosquitto, listener: Listener
) -> None:
    with installed_machine(release, tmp_path, broker) as machine:
        put(machine, "/srv/control.py", SET_CONTROL)
        put(machine, CONFIG, CAMERA)
        machine.run("modprobe vivid n_devs=1 node_types=0x1 && udevadm settle")
        assert "video" in machine.run("stat -c %G /dev/video0").output
        machine.run(f"systemctl restart {UNIT}")
        wait_for(lambda: newest(listener).get("frames", 0) >= 10, "frames are read")
        assert newest(listener)["camera"] == "ok"

        set_control(machine, "Percentage of Dropped Buffers", 100)
        wait_for(lambda: newest(listener)["camera"] in ("stalled", "reopening"), "a stall")
        wait_for(
            lambda: "/dev/video0" in str(newest(listener)["warnings"]), "a warning names the camera"
        )
        set_control(machine, "Percentage of Dropped Buffers", 0)
        wait_for(lambda: newest(listener)["camera"] == "ok", "the camera is read again")
        assert newest(listener)["camera_reopened"] >= 1

        # "Disconnect" makes the open camera fail; it can be opened again after it was closed.
        before = newest(listener)
        set_control(machine, "Disconnect", 1)
        wait_for(
            lambda: (
                newest(listener)["camera"] == "ok"
                and newest(listener)["camera_reopened"] > before["camera_reopened"]
            ),
            "the camera is opened again",
        )
        wait_for(
            lambda: newest(listener)["frames"] > before["frames"] + 10, "the camera is read again"
        )
        assert machine.run(f"systemctl show -P NRestarts {UNIT}").output.strip() == "0"
