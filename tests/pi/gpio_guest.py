"""Runs in the machine of `test_gpio.py`: our pins over the real gpiozero, lgpio and kernel."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edge.config.output_settings import OutputSettings
from edge.outputs.pin import GpioPin, PinBusyError

CHIP = Path("/dev/gpiochip0")
#: The ioctls of linux/gpio.h that take a line as it is, and read its level.
GET_LINE_HANDLE, GET_VALUES = 0xC16CB403, 0xC040B408
LIGHT = OutputSettings(name="light", pin=5)
BUZZER = OutputSettings(name="buzzer", pin=6, active="low")


def level(line: int) -> int:
    """Return the level of a line that no process has, without changing anything about it."""
    with CHIP.open("rb+", buffering=0) as chip:
        request = bytearray(struct.pack("<I", line).ljust(356, b"\0") + struct.pack("<II", 1, 0))
        fcntl.ioctl(chip, GET_LINE_HANDLE, request)
        handle = struct.unpack_from("<i", request, 360)[0]
        values = bytearray(64)
        fcntl.ioctl(handle, GET_VALUES, values)
        os.close(handle)
    return values[0]


def driven() -> str:
    """Return what the kernel says about the lines that processes have."""
    return Path("/sys/kernel/debug/gpio").read_text()


def switched_on() -> subprocess.Popen[bytes]:
    """Return a process that has switched both outputs on and keeps them."""
    process = subprocess.Popen([sys.executable, __file__, "hold"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    return process


def hold() -> None:
    pins = [GpioPin(settings) for settings in (LIGHT, BUZZER)]
    for pin in pins:
        pin.switch(True)
    print("on", flush=True)
    time.sleep(3600)


def pins_are_switched() -> None:
    light, buzzer = GpioPin(LIGHT), GpioPin(BUZZER)
    assert "out lo" in driven(), driven()  # off when opened
    assert "out hi" in driven(), driven()
    light.switch(True)
    assert driven().count("out hi") == 2, driven()
    buzzer.switch(True)
    assert driven().count("out lo") == 1, driven()
    light.close()
    buzzer.close()
    assert " out " not in driven(), driven()


def pin_of_another_process_is_reported() -> None:
    process = switched_on()
    message = ""
    try:
        GpioPin(LIGHT)
    except PinBusyError as error:
        message = str(error)
    assert "GPIO5 is in use by another program" in message
    assert driven().count("out hi") == 1, driven()
    process.terminate()
    process.wait()


def level_stays_after_a_kill_until_the_pin_is_closed() -> None:
    process = switched_on()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (level(5), level(6)) == (1, 0), "the kernel keeps the levels"
    # What `mask-patrol outputs off` does, in a process of its own.
    subprocess.run([sys.executable, __file__, "off"], check=True)
    assert level(5) == 0
    assert " out " not in driven(), driven()


def nothing_is_left_in_the_current_folder() -> None:
    assert not [path for path in Path.cwd().iterdir() if path.name.startswith(".lgd")]


CHECKS: tuple[Callable[[], None], ...] = (
    pins_are_switched,
    pin_of_another_process_is_reported,
    level_stays_after_a_kill_until_the_pin_is_closed,
    nothing_is_left_in_the_current_folder,
)


def main() -> None:
    if sys.argv[1:] == ["hold"]:
        hold()
    elif sys.argv[1:] == ["off"]:
        for settings in (LIGHT, BUZZER):
            GpioPin(settings).close()
    else:
        # A line belongs to a process until it ends, so each check has its own.
        names = sys.argv[1:] or [check.__name__ for check in CHECKS]
        for check in CHECKS:
            if names == [check.__name__]:
                check()
                print("ok", check.__name__, flush=True)
            elif check.__name__ in names:
                subprocess.run([sys.executable, __file__, check.__name__], check=True)


if __name__ == "__main__":
    main()
