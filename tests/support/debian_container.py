"""A Debian in a folder with systemd as its init, booted as a container (systemd-nspawn).

It shares this machine's kernel and network: a broker on loopback here is one there. Its power can
be cut: all its processes die at once, and what was written stays.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.brokers import wait_until
from tests.support.cli_process import ROOT

PACKAGES = (
    "python3", "systemd", "systemd-sysv", "udev", "dbus", "passwd", "util-linux", "ca-certificates",
)  # fmt: skip
CACHE = ROOT / ".cache" / "roots"
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter")
BOOT_S, COMMAND_S = 60.0, 300.0


def require_tools() -> None:
    """Skip the test where a container cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("a container with systemd in it needs root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed; `make test` installs them on Debian")


def debian(suite: str) -> Path:
    """The archive of a small `suite`, made once."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8]
    path = CACHE / f"{suite}-{platform.machine()}-{key}.tar"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{suite}-{os.getpid()}.new.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        subprocess.run([*command, suite, new], check=True)
        new.replace(path)
    return path


class Machine:
    """One that can be booted, used as root, and cut off."""

    def __init__(self, folder: Path, suite: str) -> None:
        self.root = folder
        folder.mkdir()
        subprocess.run(["tar", "-xf", debian(suite), "-C", folder], check=True)
        (folder / "etc/machine-id").write_text("uninitialized\n")
        (folder / "etc/hostname").write_text("door1\n")
        self._log = folder.with_name(folder.name + ".log")
        self._container: subprocess.Popen[bytes] | None = None
        self._init = 0

    def boot(self) -> Machine:
        """Start it, and wait until systemd has started everything (`degraded` is fine)."""
        command = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe",
            f"--directory={self.root}", "--kill-signal=SIGRTMIN+3",
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._container = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._is_up, f"systemd runs, see {self._log}", BOOT_S)
        return self

    def _is_up(self) -> bool:
        assert self._container is not None
        if self._container.poll() is not None:
            pytest.skip(f"systemd-nspawn cannot boot here: {self._log.read_text()[-300:]}")
        number = self._container.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        if not children:
            return False
        self._init = int(children[0])
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def run(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """As root there; what it wrote stands in the result, and in the error when it fails."""
        result = subprocess.run(
            self._enter(command), capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        if check and result.returncode:
            raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """The same in the background."""
        return subprocess.Popen(
            self._enter(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _enter(self, command: tuple[str | Path, ...]) -> list[str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = ["nsenter", "--target", str(self._init), "--all", "env", "-i", f"PATH={path}"]
        return [*inside, "LC_ALL=C.UTF-8", *map(str, command)]

    def property(self, name: str, unit: str = "mask-patrol.service") -> str:
        """What `systemctl show` says."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").stdout.strip()

    def cut(self) -> None:
        """Power off without a word."""
        if self._container is not None:
            if self._init:
                os.kill(self._init, signal.SIGKILL)  # the init of its processes: all die with it
            self._container.kill()
            self._container.wait(30)
            self._container = None

    def remove(self) -> None:
        """Cut it and delete its disk."""
        self.cut()
        shutil.rmtree(self.root, ignore_errors=True)
