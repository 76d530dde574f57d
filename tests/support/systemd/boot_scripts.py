"""Run the first-boot scripts with dash in a folder that serves as the root of a device.

Stubs replace the commands that the scripts call. A power cut is simulated by killing the script and
all its children when it calls one of these commands.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FIRST_BOOT = Path(__file__).parents[3] / "systemd/first-boot"
#: Matches the absolute paths in the scripts, which are replaced by paths in the root folder.
ABSOLUTE = re.compile(r"(?<![\w./$}])/(?=(etc|opt|boot/firmware|home|usr|var|media)\b)")
#: Replaces a command: logs the call and runs the real command. At call number CUT, the stub
#: kills all processes instead; if HALF is "yes", it first does half of the work of the command.
STUB = """#!/bin/sh
name=${0##*/}
echo "$name $*" >>"$STUBS/log"
if [ "$CUT" != 0 ] && [ "$(wc -l <"$STUBS/log")" -eq "$CUT" ]; then
    if [ "$HALF" = yes ]; then . "$STUBS/half"; fi
    kill -9 0
fi
PATH=$STUBS/real:$REAL_PATH exec "$name" "$@"
"""
#: Does half of the work of a command: cp, rm and find handle only the first files, including the
#: script.
HALF = """PATH=$STUBS/real:$REAL_PATH
case $name in
cp)
    mkdir -p "$3/settings"
    cp "$2/first-boot.sh" "$3" ;;
rm)
    for last; do :; done
    rm -rf "$last/first-boot.sh" "$last/start.sh" "$last/settings" ;;
find)
    rm -rf "$1/settings" ;;
*)
    "$name" "$@" ;;
esac
"""
#: Replacements of commands that must not act on this machine. They change accounts only in the
#: files of the root folder.
REAL = {
    "sync": "",
    "chown": "",
    "ssh-keygen": "",
    "id": "echo group",
    # Ignores the options for owner and group, because these accounts do not exist here.
    "install": """
count=$#
while [ "$count" -gt 0 ]; do
    case $1 in
    -o | -g) shift 2; count=$((count - 2)) ;;
    *) set -- "$@" "$1"; shift; count=$((count - 1)) ;;
    esac
done
exec /usr/bin/install "$@"
""",
    "usermod": """
case $1 in
--login) sed -i "s/^$3:/$2:/" "$ROOT/etc/passwd" ;;
--home) sed -i "s,^\\($3:.*\\):[^:]*:\\([^:]*\\)$,\\1:$2:\\2," "$ROOT/etc/passwd" ;;
esac
""",
    "groupmod": 'sed -i "s/^$3:/$2:/" "$ROOT/etc/group"',
    "chpasswd": 'cat >"$ROOT/etc/shadow"',
}
#: Commands that can be interrupted halfway. Other commands complete their work before the cut,
#: which gives the same state as a cut at the next call.
HALVED = ("cp", "rm", "find")
CUTTABLE = ("mkdir", "cp", "install", "mv", "ln", "rm", "find", "tar", *REAL)
GETENT = """#!/bin/sh
PATH=$REAL_PATH exec awk -F: -v key="$2" '$1 == key || $3 == key' "$ROOT/etc/$1"
"""


@dataclass(frozen=True)
class Device:
    """A root folder, and a folder with the stubs, which comes first in PATH."""

    root: Path
    stubs: Path

    @classmethod
    def make(cls, folder: Path) -> Device:
        device = cls(folder / "root", folder / "stubs")
        for path in ("etc/systemd/system", "etc/sudoers.d", "opt", "boot/firmware", "home", "usr"):
            (device.root / path).mkdir(parents=True)
        (device.root / "etc/hostname").write_text("raspberrypi\n")
        (device.root / "etc/hosts").write_text("127.0.0.1\tlocalhost\n127.0.1.1\traspberrypi\n")
        (device.root / "etc/passwd").write_text(
            f"root:x:0:0::/root:/bin/sh\npi:x:1000:1000::{device.root}/home/pi:/bin/bash\n"
        )
        (device.root / "etc/group").write_text("sudo:x:27:\npi:x:1000:\n")
        (device.root / "etc/sudoers.d/010_pi-nopasswd").write_text("pi ALL=(ALL) NOPASSWD: ALL\n")
        (device.root / "home/pi").mkdir()
        (device.stubs / "real").mkdir(parents=True)
        (device.stubs / "half").write_text(HALF)
        for name in CUTTABLE:
            device.command(name, STUB)
        for name, text in REAL.items():
            device.command(f"real/{name}", f"#!/bin/sh\n{text}\n")
        device.command("getent", GETENT)
        device.command("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        for name in ("systemctl", "hostname", "sleep"):
            device.command(name, f'#!/bin/sh\necho "{name} $*" >>"$STUBS/calls"\n')
        return device

    def cut_points(self, half: bool) -> list[int]:
        """Return the numbers of the calls in the last run at which the power can be cut."""
        return [
            number
            for number, step in enumerate(self.steps, 1)
            if not half or step.split()[0] in HALVED
        ]

    def command(self, name: str, text: str) -> None:
        """Create a stub."""
        path = self.stubs / name
        path.write_text(text)
        path.chmod(0o755)

    @property
    def boot(self) -> Path:
        return self.root / "boot/firmware"

    @property
    def kit(self) -> Path:
        return self.root / "opt/mask-patrol/first-boot"

    @property
    def calls(self) -> list[str]:
        """The calls, in all runs, of commands whose stubs do nothing, such as systemctl."""
        path = self.stubs / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def steps(self) -> list[str]:
        """The calls in the last run at which the power can be cut."""
        return (self.stubs / "log").read_text().splitlines()

    def redirect(self, folder: Path) -> None:
        """Make the scripts in `folder` use the root folder of this device, not of this machine."""
        for path in folder.rglob("*.sh"):
            text = path.read_text()
            if str(self.root) not in text:
                path.write_text(ABSOLUTE.sub(f"{self.root}/", text))

    def run(
        self, script: Path, *words: str, cut: int = 0, half: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a script; unless `cut` is 0, cut the power at call number `cut`."""
        (self.stubs / "log").write_text("")
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            ["dash", script, *words],
            env={
                "PATH": f"{self.stubs}:{path}",
                "REAL_PATH": path,
                "STUBS": str(self.stubs),
                "ROOT": str(self.root),
                "CUT": str(cut),
                "HALF": "yes" if half else "no",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,  # so that a power cut kills only these processes
        )
