"""A Debian system in a folder, booted with systemd as a container (systemd-nspawn).

The container shares the kernel and the network of this machine, so it can reach a broker on the
loopback interface. A power cut is simulated by killing all processes of the container; files that
were written remain.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.cli_process import ROOT
from tests.support.waiting import wait_until

PACKAGES = (
    "python3", "systemd", "systemd-sysv", "udev", "dbus", "passwd", "util-linux", "ca-certificates",
    "openssh-client",
)  # fmt: skip
CACHE = ROOT / ".cache" / "roots"
#: Timers that would change files during a test.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "man-db.timer")
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "ip")
BOOT_S, COMMAND_S = 60.0, 300.0


def require_tools() -> None:
    """Skip the test if no container can be booted."""
    if os.geteuid() != 0:
        pytest.skip("a container with systemd needs root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed; `make test` installs them on Debian")


def debian(suite: str, more: tuple[str, ...] = ()) -> Path:
    """Return a tar archive of a minimal Debian `suite` with the packages `more`.

    The archive is made once and reused; other processes that need it at the same time wait for it.
    """
    packages = (*PACKAGES, *more)
    key = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    path = CACHE / f"{suite}-{platform.machine()}-{key}.tar"
    CACHE.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            new = path.with_suffix(".new.tar")
            include = f"--include={','.join(packages)}"
            command = ["mmdebstrap", "--quiet", "--variant=minbase", include, suite, new]
            subprocess.run(command, check=True)
            new.replace(path)
    return path


class Machine:
    """A machine that can be booted and used as root, and whose power can be cut."""

    def __init__(
        self, folder: Path, suite: str, more: tuple[str, ...] = (), private_network: bool = False
    ) -> None:
        """Unpack a Debian `suite` with the packages `more` into `folder`.

        With a private network, the machine has a loopback interface of its own and, before
        `connect`, no other.
        """
        self.root = folder
        self._options = ["--private-network"] if private_network else []
        folder.mkdir()
        subprocess.run(["tar", "-xf", debian(suite, more), "-C", folder], check=True)
        (folder / "etc/machine-id").write_text("uninitialized\n")
        (folder / "etc/hostname").write_text("door1\n")
        for timer in MASKED:
            (folder / "etc/systemd/system" / timer).symlink_to("/dev/null")
        self._log = folder.with_name(folder.name + ".log")
        self._container: subprocess.Popen[bytes] | None = None
        self._init = 0

    def boot(self) -> Machine:
        """Boot, and wait until systemd has started all units; failed units are allowed."""
        command = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--console=pipe",
            f"--directory={self.root}", "--kill-signal=SIGRTMIN+3", *self._options,
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._container = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self._is_up, f"systemd runs (see {self._log})", BOOT_S)
        return self

    def connect(self) -> str:
        """Connect the private network with this machine; return the machine's address in it."""
        name, subnet = f"mp{self._init}"[:15], f"10.213.{self._init % 250}"
        inside = ["nsenter", "--target", str(self._init), "--net", "ip"]
        for command in (
            ["ip", "link", "add", name, "type", "veth", "peer", "eth0", "netns", str(self._init)],
            ["ip", "address", "add", f"{subnet}.1/30", "dev", name],
            ["ip", "link", "set", name, "up"],
            [*inside, "address", "add", f"{subnet}.2/30", "dev", "eth0"],
            [*inside, "link", "set", "eth0", "up"],
            [*inside, "route", "add", "default", "via", f"{subnet}.1"],
        ):
            subprocess.run(command, check=True)
        return f"{subnet}.2"

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
        """Run a command as root; with `check`, raise AssertionError with its output if it fails."""
        result = subprocess.run(
            self._enter(command), capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        if check and result.returncode:
            raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command as root, and do not wait for its end."""
        return subprocess.Popen(
            self._enter(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _enter(self, command: tuple[str | Path, ...]) -> list[str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = ["nsenter", "--target", str(self._init), "--all", "env", "-i", f"PATH={path}"]
        return [*inside, "LC_ALL=C.UTF-8", *map(str, command)]

    def property(self, name: str, unit: str = "mask-patrol.service") -> str:
        """Return a property of a unit, as `systemctl show` prints it."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").stdout.strip()

    def cut(self) -> None:
        """Cut the power."""
        if self._container is not None:
            if self._init:
                os.kill(
                    self._init, signal.SIGKILL
                )  # all processes of the container die with its init
            self._container.kill()
            self._container.wait(30)
            self._container = None

    def remove(self) -> None:
        """Cut the power and delete the disk."""
        self.cut()
        shutil.rmtree(self.root, ignore_errors=True)
