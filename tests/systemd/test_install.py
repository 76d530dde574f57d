"""install.sh itself, run by the system's sh in a folder that stands for the root of a machine.

What it asks of systemd, apt and the accounts is written down by stand-ins; the files, the links and
the check of the configuration are real. On a booted system the whole is tested in test_device.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.service.releases import RESTART_PENDING
from tests.support.cli_process import ROOT
from tests.systemd.test_units import needs

#: Each writes down its call; what it answers stands in files below $ROOT/stand-in.
STAND_IN = r"""#!/bin/sh
echo "${0##*/} $*" >>"$ROOT/calls"
answer() { cat "$ROOT/stand-in/$1" 2>/dev/null; }
case "${0##*/} $*" in
"id -u") echo 0 ;;
"id -nG"*) echo mask-patrol video ;;
getent*) echo there ;;
uname*) cat "$ROOT/bundle/MACHINE" ;;
"systemctl --version") echo "systemd 257 (257)" ;;
"systemctl show --property=MainPID"*) answer pid || echo 0 ;;
"systemctl show --property=NeedDaemonReload"*) answer reload || echo no ;;
"systemctl is-enabled"*) answer enabled; [ -e "$ROOT/stand-in/enabled" ] ;;
"systemctl enable"*) echo enabled >"$ROOT/stand-in/enabled" ;;
"systemctl daemon-reload") rm -f "$ROOT/stand-in/reload" ;;
"systemctl is-active"*) [ -e "$ROOT/stand-in/pid" ] ;;
"systemctl restart"*)
    if [ -e "$ROOT/stand-in/broken" ]; then exit 1; fi
    echo 77 >"$ROOT/stand-in/pid"
    ;;
"apt-cache show"*) [ -e "$ROOT/stand-in/apt-knows" ] ;;
"apt-get install"*) [ -e "$ROOT/stand-in/apt-fresh" ] && : >"$ROOT/stand-in/picamera2" ;;
"apt-get update"*)
    [ -e "$ROOT/stand-in/apt-online" ] || exit 1
    : >"$ROOT/stand-in/apt-knows"
    : >"$ROOT/stand-in/apt-fresh"
    ;;
findmnt*--mountpoint*) answer mounted || exit 1 ;;
findmnt*) answer root || echo ext4 ;;
chown*) [ ! -e "$ROOT/stand-in/chown-fails" ] ;;
esac
"""
STOOD_FOR = (
    "id", "getent", "uname", "systemctl", "udevadm", "apt-cache", "apt-get", "findmnt", "useradd",
    "usermod", "userdel", "chown", "sync",
)  # fmt: skip
#: Makes a release without wheels; whatever else it is asked, the real one answers.
PYTHON = r"""#!/bin/sh
case "$*" in
"-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin"
    cp "$0" "$folder/bin/python"
    : >"$folder/pyvenv.cfg"
    ;;
*/pip\ *)
    printf '#!/bin/sh\n' >"${0%/*}/mask-patrol"
    chmod +x "${0%/*}/mask-patrol"
    ;;
"-c import importlib"*picamera2* | "-c import picamera2") [ -e "$ROOT/stand-in/picamera2" ] ;;
*) exec "$REAL_PYTHON" "$@" ;;
esac
"""


class Root:
    """The folder, with a bundle in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bundle = folder / "bundle"
        tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
        for name, text in {
            f"wheels/{tag}/pip-1-py3-none-any.whl": "",
            f"requirements-{tag}.txt": "",
            "MACHINE": "aarch64\n",
            "README.md": "",
            "config.example.toml": (ROOT / "edge/config.example.toml").read_text(),
            "install.sh": self._script(),
        }.items():
            path = self.bundle / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.bundle / "install.sh").chmod(0o755)
        for name in ("units", "storage"):
            (self.bundle / name).mkdir()
            for path in (ROOT / "systemd" / name).iterdir():
                (self.bundle / name / path.name).write_bytes(path.read_bytes())
        for name in ("run/systemd/system", "run/lock", "stand-in", "bin", "proc", "boot/firmware"):
            (folder / name).mkdir(parents=True)
        (folder / "proc/cmdline").write_text("quiet\n")
        (folder / "boot/firmware/cmdline.txt").write_text("quiet\n")
        for name in STOOD_FOR:
            self._program(folder / "bin" / name, STAND_IN)
        self._program(folder / "python3", PYTHON)
        self.version("1")

    def _script(self) -> str:
        text = (ROOT / "systemd/install.sh").read_text()
        text = text.replace("PYTHON=/usr/bin/python3", f"PYTHON={self.folder}/python3")
        moved, count = re.subn(
            r"(?<![\w}.])/(opt|etc|var|run|usr/local|boot|proc(?=/cmdline))/",
            rf"{self.folder}/\1/",
            text,
        )
        assert count > 10
        return moved

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def version(self, version: str) -> None:
        """The bundle is of this one now."""
        from bundle.build import SUMS, VERSION, checksums

        (self.bundle / VERSION).write_text(f"{version}\n")
        (self.bundle / SUMS).write_text(checksums(self.bundle))

    def answers(self, name: str, text: str | None = "") -> None:
        """A stand-in's answer; None takes it away."""
        path = self.folder / "stand-in" / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)

    def install(self, *arguments: str, code: int = 0) -> str:
        """Run it; all that it said."""
        (self.folder / "calls").write_text("")
        result = subprocess.run(
            ["/bin/sh", self.bundle / "install.sh", *arguments],
            env={
                "PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "ROOT": str(self.folder),
                "REAL_PYTHON": sys.executable,
                "PYTHONPATH": os.fspath(ROOT),
                "LC_ALL": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def calls(self, of: str) -> list[str]:
        """What the last run asked of a program."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(of)]

    @property
    def current(self) -> str:
        return (self.folder / "opt/mask-patrol/current").readlink().name

    @property
    def config(self) -> Path:
        return self.folder / "etc/mask-patrol/mask-patrol.toml"

    def write(self, source: str = "demo", host: str = "'broker.lan'") -> Path:
        """A configuration to install with."""
        path = self.folder / "site.toml"
        path.write_text(f"[camera]\nsource = '{source}'\n[mqtt]\nhost = {host}\n")
        return path


pytestmark = needs("flock")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


@pytest.fixture
def first(root: Root) -> Root:
    """Version 1 is installed and runs."""
    said = root.install("--config", str(root.write()))
    assert "Done: 1." in said
    assert root.calls("systemctl restart") == ["systemctl restart mask-patrol.service"]
    return root


def restarted(root: Root) -> bool:
    return bool(root.calls("systemctl restart"))


def owed(root: Root) -> bool:
    return (root.folder / str(RESTART_PENDING).lstrip("/")).exists()


def test_the_rights_of_what_a_link_leads_to_are_left_alone(first: Root) -> None:
    own = first.folder / "own.toml"
    first.config.rename(own)
    own.chmod(0o600)
    first.config.symlink_to(own)
    assert "Nothing to change: 1 is installed." in first.install()
    assert not any(str(first.config) in call for call in first.calls("chown"))
    assert own.stat().st_mode & 0o777 == 0o600


def test_again_it_changes_nothing(first: Root) -> None:
    assert not owed(first)
    assert "Nothing to change: 1 is installed." in first.install()
    assert not restarted(first)
    assert not first.calls("systemctl daemon-reload")


def test_a_configuration_that_the_new_version_refuses_keeps_the_old_one(first: Root) -> None:
    first.config.write_text("[mqtt]\nhots = 'x'\n")
    first.version("2")
    said = first.install(code=2)
    assert "unknown setting `mqtt.hots`" in said
    assert f"nothing was switched: mend {first.config}" in said
    assert first.current == "1"
    assert not restarted(first)
    first.config.write_text("[mqtt]\nhost = 'b'\n")
    assert "Done: 2." in first.install()
    assert first.current == "2"
    assert restarted(first)


def test_what_was_not_started_at_once_is_started_by_the_next_run(first: Root) -> None:
    first.version("2")
    assert "what ran before still runs" in first.install("--no-start")
    assert first.current == "2"
    assert not restarted(first)
    assert "Nothing to change" not in first.install()
    assert restarted(first)
    assert "Nothing to change" in first.install()


def test_another_configuration_that_was_not_taken_up_yet(first: Root) -> None:
    first.install("--no-start", "--config", str(first.write(host="'other.lan'")))
    assert not restarted(first)
    first.install()
    assert restarted(first)


def test_an_installation_that_was_cut_off_before_the_restart(first: Root) -> None:
    first.version("2")
    first.answers("broken")
    assert "it does not start: journalctl" in first.install(code=1)
    first.answers("broken", None)
    assert "Done: 2." in first.install()
    assert restarted(first)
    assert "systemctl daemon-reload" in first.calls("systemctl")
    assert not owed(first)


def test_where_nothing_runs_nothing_is_owed(root: Root) -> None:
    """It was not running, so whatever starts it starts what lies there."""
    root.install("--no-start", "--config", str(root.write()))
    assert not owed(root)
    root.answers("pid", "5\n")  # systemctl start, by hand
    assert "Nothing to change" in root.install()
    assert not restarted(root)


def test_an_update_owes_no_restart_of_its_own(first: Root) -> None:
    first.version("2")
    first.install("--release-only")
    release = first.folder / "opt/mask-patrol/2/share/mask-patrol/install.sh"
    subprocess.run(
        ["/bin/sh", release, "--activate"],
        env={"PATH": f"{first.folder}/bin:/usr/bin:/bin", "ROOT": str(first.folder)},
        check=True,
    )
    assert first.current == "2"
    assert not owed(first)


def test_units_that_systemd_has_not_read_yet_are_told_to_it(first: Root) -> None:
    first.answers("reload", "yes\n")
    first.install()
    assert first.calls("systemctl daemon-reload")


@pytest.mark.parametrize("argument", ["--help", "--purg", "--purge --now"])
def test_uninstall_takes_no_other_word(first: Root, argument: str) -> None:
    assert "uninstall takes --purge or nothing" in first.install(
        "uninstall", *argument.split(), code=2
    )
    assert first.current == "1"
    assert not first.calls("systemctl stop")


def test_uninstalled_the_system_knows_it_and_what_stays_is_named(first: Root) -> None:
    # The real one, which would look at this machine's own boot partition.
    (first.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    own = first.folder / "etc/systemd/system/mask-patrol.service.d"
    own.mkdir(parents=True)
    said = first.install("uninstall", "--purge")
    assert f"Left: {own}" in said
    assert "Left: Debian packages" in said
    assert first.calls("systemctl daemon-reload")
    assert first.calls("systemctl try-reload-or-restart systemd-journald.service")
    assert not list((first.folder / "opt").iterdir())
    assert not first.config.exists()


def test_the_read_only_root_is_turned_off_before_what_it_needs_goes(first: Root) -> None:
    switch = first.folder / "usr/local/sbin/mask-patrol-read-only"
    init = first.folder / "usr/local/lib/mask-patrol/overlay-init"
    assert os.access(switch, os.X_OK)
    assert os.access(init, os.X_OK)
    switch.write_text(f"#!/bin/sh\n[ -e {init} ] && echo switch $* >>{first.folder}/calls\n")
    first.install("uninstall")
    assert first.calls("switch") == ["switch off"]
    assert not switch.exists()
    assert not init.parent.exists()
    assert not list((first.folder / "usr/local/lib").glob("systemd/system/*"))


@pytest.mark.parametrize("purge", [True, False])
def test_the_partition_of_the_events_is_named_and_emptied_only_if_asked(
    first: Root, purge: bool
) -> None:
    (first.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    events = first.folder / "var/lib/mask-patrol/outbox.sqlite3"
    events.parent.mkdir(parents=True, exist_ok=True)
    events.touch()
    first.answers("mounted", "/dev/mmcblk0p3\n")
    said = first.install("uninstall", *(["--purge"] if purge else []))
    calls = first.calls("systemctl stop")
    assert calls[-1] == "systemctl stop mask-patrol-data.service"  # what was on it is done
    assert events.exists() is not purge
    assert ("which was" in said, "and is empty" in said) == (True, purge)


def test_what_cannot_be_turned_off_is_not_taken_away(first: Root) -> None:
    switch = first.folder / "usr/local/sbin/mask-patrol-read-only"
    switch.write_text("#!/bin/sh\necho 'cannot' >&2; exit 1\n")
    assert "cannot be turned off" in first.install("uninstall", code=1)
    assert (first.folder / "usr/local/lib/mask-patrol/overlay-init").exists()
    assert first.current == "1"


def test_nothing_is_done_to_a_read_only_root(first: Root) -> None:
    words = first.folder / "proc/cmdline"
    words.write_text(f"quiet init={first.folder}/usr/local/lib/mask-patrol/overlay-init\n")
    first.answers("root", "overlay\n")
    first.version("2")
    for arguments in ((), ("uninstall",)):
        assert "sudo mask-patrol-read-only off" in first.install(*arguments, code=1)
    assert first.current == "1"
    first.answers("root", "ext4\n")  # no overlay could be laid
    first.install()
    assert first.current == "2"


def test_the_configuration_is_never_there_for_root_alone(root: Root) -> None:
    root.answers("chown-fails")
    root.install("--config", str(root.write()), code=1)
    assert root.calls("chown") == [f"chown root:mask-patrol {root.config}.new"]
    assert not root.config.exists()


def apt(root: Root) -> list[str]:
    return [call.split()[1] for call in root.calls("apt-get")]


def test_picamera2_is_fetched_for_who_has_not_chosen_a_camera(root: Root) -> None:
    root.answers("apt-online")
    root.install()
    assert apt(root) == ["update", "install"]
    root.install()
    assert apt(root) == []  # the configuration is there, and names another camera


def test_picamera2_is_fetched_for_who_uses_it(root: Root) -> None:
    root.answers("apt-knows")  # by lists of long ago
    said = root.install("--config", str(root.write("picamera2")))
    assert apt(root) == ["install", "update"]
    assert "apt could not install python3-picamera2" in said
    assert "camera.source is picamera2, which is not installed" in said
    root.answers("apt-online")
    assert "which is not installed" not in root.install()
    assert apt(root) == ["install", "update", "install"]
    assert restarted(root)
    assert "Nothing to change" in root.install()
    assert apt(root) == []


def test_where_apt_has_no_picamera2_that_is_said(root: Root) -> None:
    assert "apt has no python3-picamera2" in root.install()
    assert apt(root) == ["update"]


@pytest.mark.parametrize(("source", "more"), [("demo", ()), ("picamera2", ("--offline",))])
def test_picamera2_is_left_alone(root: Root, source: str, more: tuple[str, ...]) -> None:
    root.answers("apt-knows")
    root.install("--config", str(root.write(source)), *more)
    assert apt(root) == []
