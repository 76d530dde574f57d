"""An arm64 machine in qemu, controlled over a serial port."""

from __future__ import annotations

import ctypes
import fcntl
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pi.kernel import Kernel
from tests.pi.roots import CACHE

#: Time limit for a boot, which takes half a minute on two idle cores, and minutes on busy ones.
UP_S = 900.0
COMMAND_S = 900.0
#: The address under which the emulated machine reaches the loopback interface of the host.
HOST = "10.0.2.2"
#: The address of the broker in a machine without any other network.
RELAY_HOST, RELAY_PORT = "10.0.2.100", 1883
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command in the machine."""

    code: int
    output: str


class MachineError(AssertionError):
    """The machine failed; the message contains the end of its console."""


class Machine:
    """A machine with a disk, which can be started and killed repeatedly.

    Only one machine runs at a time, as two would slow each other down.
    """

    def __init__(
        self,
        disk: Path,
        kernel: Kernel,
        only_broker: int | None = None,
        forward_ssh: int | None = None,
        lan: str = "",
        on: bool = True,
    ) -> None:
        """With `only_broker`, the broker on that port is the only host that the machine can reach.

        `forward_ssh` is a port of the host for SSH. `lan` is an interface of the host to which the
        machine's second interface is connected. With `on`, entering the context starts the machine.
        """
        self._on = on
        self.disk, self._kernel = disk, kernel
        self._only_broker = only_broker
        self._forward_ssh = forward_ssh
        self._lan = lan
        self._folder = disk.parent
        self._qemu: subprocess.Popen[bytes] | None = None
        self._port: socket.socket | None = None
        self._received = b""
        #: The file on the host that receives what is written to /dev/virtio-ports/witness.
        self.witness = self._folder / "witness"
        self._lock = (CACHE / "machine.lock").open("w")
        self.boot = ""

    def __enter__(self) -> Machine:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if self._on:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._lock.close()

    @property
    def console(self) -> str:
        """The console output of all boots."""
        log = self._folder / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def start(self, up: bool = True, parameters: str = "") -> None:
        """Power on; with `up`, wait until the agent runs.

        `parameters` are kernel parameters, which the firmware of a Raspberry Pi would read from
        cmdline.txt.
        """
        path = self._folder / "agent.sock"
        path.unlink(missing_ok=True)
        command = [
            "nice", "-n", "10", "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72",
            "-smp", "2", "-m", "1024", "-accel", "tcg,thread=multi",
            "-kernel", str(self._kernel.image), "-initrd", str(self._kernel.initramfs),
            "-append", f"console=ttyAMA0 loglevel=4 net.ifnames=0 {parameters}",
            "-drive", f"file={self.disk},format=raw,if=none,id=disk,cache=writeback",
            "-device", "nvme,drive=disk,serial=1",
            "-netdev", self._network(), "-device", "virtio-net-pci,netdev=net,romfile=",
            *self._second_interface(),
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={path},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-chardev", f"file,id=witness,path={self.witness},append=on",
            "-device", "virtserialport,chardev=witness,name=witness",
            "-device", "virtio-rng-pci",
            "-serial", f"file:{self._folder / 'console.part'}",
            "-no-reboot", "-display", "none", "-monitor", "none", "-nodefaults",
        ]  # fmt: skip
        self._qemu = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the function takes no lock
        )
        until = time.monotonic() + 30
        while not path.exists():
            self._require_running()
            if time.monotonic() > until:
                raise MachineError("qemu did not open its serial port")
            time.sleep(0.05)
        self._port = socket.socket(socket.AF_UNIX)
        self._port.connect(str(path))
        self._received = b""
        if up:
            self.wait_up()

    def wait_up(self, timeout_s: float = UP_S) -> None:
        """Wait until the agent reports that the machine is up."""
        self.boot = str(self._receive("up", timeout_s)["up"])

    def run(self, command: str, timeout_s: float = COMMAND_S, check: bool = True) -> Result:
        """Run a shell command in the machine; with `check`, raise MachineError if it fails."""
        assert self._port is not None
        self._port.sendall(json.dumps({"run": command}).encode() + b"\n")
        reply = self._receive("code", timeout_s)
        done = Result(int(reply["code"]), str(reply["output"]))
        if check and done.code:
            raise MachineError(f"`{command}` failed ({done.code}) in the machine:\n{done.output}")
        return done

    def wait_until(self, command: str, what: str, timeout_s: float = COMMAND_S) -> Result:
        """Run a command repeatedly until it succeeds; return its result."""
        until = time.monotonic() + timeout_s
        while (done := self.run(command, check=False)).code:
            if time.monotonic() > until:
                raise self._failure(f"waited {timeout_s:.0f} s for: {what}\n{done.output}")
            time.sleep(1.0)
        return done

    def power_off(self) -> None:
        """Shut down cleanly."""
        assert self._port is not None
        self._port.sendall(json.dumps({"run": "systemctl poweroff --no-block"}).encode() + b"\n")
        self.wait_off()

    def wait_off(self) -> None:
        """Wait until the machine has shut down or rebooted, which also ends qemu."""
        assert self._qemu is not None
        try:
            self._qemu.wait(UP_S)
        except subprocess.TimeoutExpired:
            raise self._failure("the machine does not shut down") from None
        self.kill()

    def kill(self) -> None:
        """Cut the power."""
        if self._qemu is not None:
            self._qemu.send_signal(signal.SIGKILL)
            self._qemu.wait(30)
            self._qemu = None
        if self._port is not None:
            self._port.close()
            self._port = None
        part = self._folder / "console.part"
        if part.exists():
            with (self._folder / "console.log").open("ab") as log:
                log.write(part.read_bytes())
            part.unlink()

    def _network(self) -> str:
        ssh = f",hostfwd=tcp:127.0.0.1:{self._forward_ssh}-:22" if self._forward_ssh else ""
        if self._only_broker is None:
            return f"user,id=net{ssh}"
        relay = Path(__file__).with_name("relay.py").resolve()
        return (
            f"user,id=net,restrict=on{ssh},guestfwd=tcp:{RELAY_HOST}:{RELAY_PORT}"
            f"-cmd:{sys.executable} {relay} {self._only_broker}"
        )

    def _second_interface(self) -> list[str]:
        if not self._lan:
            return []
        tap = f"tap,id=lan,ifname={self._lan},script=no,downscript=no"
        return ["-netdev", tap, "-device", "virtio-net-pci,netdev=lan,romfile="]

    def _receive(self, key: str, timeout_s: float) -> dict[str, Any]:
        """Return the next message of the agent that has `key`."""
        assert self._port is not None
        until = time.monotonic() + timeout_s
        while True:
            while b"\n" in self._received:
                line, self._received = self._received.split(b"\n", 1)
                try:
                    message = json.loads(line)
                except ValueError:
                    continue  # a remainder from before
                if key in message:
                    return dict(message)
            left = until - time.monotonic()
            if left <= 0:
                raise self._failure(f"the agent sent nothing for {timeout_s:.0f} s")
            self._port.settimeout(min(left, 5.0))
            try:
                received = self._port.recv(65536)
            except TimeoutError:
                self._require_running()
                continue
            if not received:
                self._require_running()
                raise self._failure("the machine's serial port was closed")
            self._received += received

    def _require_running(self) -> None:
        assert self._qemu is not None
        if self._qemu.poll() is not None:
            assert self._qemu.stderr is not None
            error = self._qemu.stderr.read().decode(errors="replace")
            raise self._failure(f"qemu ended ({self._qemu.returncode}): {error}")

    def _failure(self, reason: str) -> MachineError:
        part = self._folder / "console.part"
        text = part.read_text(errors="replace") if part.exists() else self.console
        tail = "\n".join(text.splitlines()[-40:])
        return MachineError(f"{reason}\n--- the end of the machine's console:\n{tail}")


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = UP_S) -> None:
    """Wait until `condition` holds; raises MachineError after `timeout_s`."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise MachineError(f"waited {timeout_s:.0f} s for: {what}")
        time.sleep(0.2)


def _die_with_parent() -> None:
    """Runs between fork and exec: the kernel kills qemu when the test process ends."""
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
