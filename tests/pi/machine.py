"""An arm64 machine in qemu, driven over a serial port, and always ended."""

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

#: An emulated machine takes half a minute to come up on two cores, minutes on busy ones.
UP_S = 900.0
COMMAND_S = 900.0
#: Where a broker on this machine's loopback is to be found from inside.
HOST = "10.0.2.2"
#: … and in a machine without any other network.
RELAY_HOST, RELAY_PORT = "10.0.2.100", 1883
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Done:
    """What a command in the machine said."""

    code: int
    output: str


class MachineError(AssertionError):
    """The machine did not do what it should; says what stood on its console."""


class Machine:
    """One machine on one disk; `start` and `kill` may be called again and again.

    One runs at a time: two would only take each other's time.
    """

    def __init__(
        self,
        disk: Path,
        kernel: Kernel,
        only_broker: int | None = None,
        forward_ssh: int | None = None,
        on: bool = True,
    ) -> None:
        """`only_broker` is the port of the broker that is all the network there is; `on`:
        it is started by the `with`."""
        self._on = on
        self.disk, self._kernel = disk, kernel
        self._only_broker = only_broker
        self._forward_ssh = forward_ssh
        self._folder = disk.parent
        self._qemu: subprocess.Popen[bytes] | None = None
        self._port: socket.socket | None = None
        self._heard = b""
        self._words = ""
        #: A file of this machine, to which the other one's /dev/virtio-ports/witness is written.
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
        """All that stood on the console, of every start."""
        log = self._folder / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def start(self, up: bool = True, words: str = "") -> None:
        """Power on; with `up`, wait until the machine answers. `words` are for the kernel, as
        the firmware of a Raspberry Pi takes them from cmdline.txt.
        """
        self._words = words
        path = self._folder / "agent.sock"
        path.unlink(missing_ok=True)
        command = [
            "nice", "-n", "10", "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72",
            "-smp", "2", "-m", "1024", "-accel", "tcg,thread=multi",
            "-kernel", str(self._kernel.image), "-initrd", str(self._kernel.initramfs),
            "-append", f"console=ttyAMA0 loglevel=4 net.ifnames=0 {self._words}",
            "-drive", f"file={self.disk},format=raw,if=none,id=disk,cache=writeback",
            "-device", "nvme,drive=disk,serial=1",
            "-netdev", self._network(), "-device", "virtio-net-pci,netdev=net,romfile=",
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
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls nothing that takes a lock
        )
        until = time.monotonic() + 30
        while not path.exists():
            self._require_running()
            if time.monotonic() > until:
                raise MachineError("qemu did not open its serial port")
            time.sleep(0.05)
        self._port = socket.socket(socket.AF_UNIX)
        self._port.connect(str(path))
        self._heard = b""
        if up:
            self.wait_up()

    def wait_up(self, timeout_s: float = UP_S) -> None:
        """Until the machine says that it has come up."""
        self.boot = str(self._hear("up", timeout_s)["up"])

    def run(self, command: str, timeout_s: float = COMMAND_S, check: bool = True) -> Done:
        """Run a shell command in the machine; raises MachineError when it fails, with `check`."""
        assert self._port is not None
        self._port.sendall(json.dumps({"run": command}).encode() + b"\n")
        words = self._hear("code", timeout_s)
        done = Done(int(words["code"]), str(words["output"]))
        if check and done.code:
            raise MachineError(f"`{command}` failed ({done.code}) in the machine:\n{done.output}")
        return done

    def wait_until(self, command: str, what: str, timeout_s: float = COMMAND_S) -> Done:
        """Run a command again and again until it succeeds."""
        until = time.monotonic() + timeout_s
        while (done := self.run(command, check=False)).code:
            if time.monotonic() > until:
                raise self._failure(f"not within {timeout_s:.0f} s: {what}\n{done.output}")
            time.sleep(1.0)
        return done

    def power_off(self) -> None:
        """Shut down in good order."""
        assert self._port is not None
        self._port.sendall(json.dumps({"run": "systemctl poweroff --no-block"}).encode() + b"\n")
        self.wait_off()

    def wait_off(self) -> None:
        """Until it has shut down, or would start again."""
        assert self._qemu is not None
        try:
            self._qemu.wait(UP_S)
        except subprocess.TimeoutExpired:
            raise self._failure("the machine does not shut down") from None
        self.kill()

    def kill(self) -> None:
        """Pull the plug."""
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

    def _hear(self, word: str, timeout_s: float) -> dict[str, Any]:
        """The next answer that holds `word`."""
        assert self._port is not None
        until = time.monotonic() + timeout_s
        while True:
            while b"\n" in self._heard:
                line, self._heard = self._heard.split(b"\n", 1)
                try:
                    words = json.loads(line)
                except ValueError:
                    continue  # what was left in the port from before
                if word in words:
                    return dict(words)
            left = until - time.monotonic()
            if left <= 0:
                raise self._failure(f"the machine said nothing for {timeout_s:.0f} s")
            self._port.settimeout(min(left, 5.0))
            try:
                heard = self._port.recv(65536)
            except TimeoutError:
                self._require_running()
                continue
            if not heard:
                self._require_running()
                raise self._failure("the machine's serial port was closed")
            self._heard += heard

    def _require_running(self) -> None:
        assert self._qemu is not None
        if self._qemu.poll() is not None:
            assert self._qemu.stderr is not None
            said = self._qemu.stderr.read().decode(errors="replace")
            raise self._failure(f"qemu ended ({self._qemu.returncode}): {said}")

    def _failure(self, why: str) -> MachineError:
        part = self._folder / "console.part"
        text = part.read_text(errors="replace") if part.exists() else self.console
        tail = "\n".join(text.splitlines()[-40:])
        return MachineError(f"{why}\n--- the end of the machine's console:\n{tail}")


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = UP_S) -> None:
    """Until `condition` holds."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise MachineError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(0.2)


def _die_with_parent() -> None:
    """Called between fork and exec: whatever ends the tests ends the machine."""
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
