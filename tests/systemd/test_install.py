"""install.sh, run in a folder that stands for the root of a machine.

Stubs for systemctl, apt-get, useradd and others log their calls; the files, the links, and the
check of the configuration are real. test_device.py tests the installer on a booted system.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.config.settings import load_settings
from edge.service.releases import LOCK, RESTART_PENDING
from tests.support.cli_process import ROOT
from tests.support.systemd.release_keys import SigningKey
from tests.support.waiting import PATIENCE_S
from tests.systemd.test_units import needs

#: The stub of a command: logs its call. Files in $ROOT/replies determine its output and exit code.
STUB = r"""#!/bin/sh
echo "${0##*/} $*" >>"$ROOT/calls"
reply() { cat "$ROOT/replies/$1" 2>/dev/null; }
case "${0##*/} $*" in
"id -u") echo 0 ;;
"id -nG"*) echo mask-patrol video ;;
"getent group gpio") [ ! -e "$ROOT/replies/no-gpio" ] ;;
getent*) echo there ;;
uname*) cat "$ROOT/bundle/MACHINE" ;;
"systemctl --version") echo "systemd 257 (257)" ;;
"systemctl show --property=MainPID"*) reply pid || echo 0 ;;
"systemctl show --property=NeedDaemonReload"*) reply reload || echo no ;;
"systemctl is-enabled mask-patrol@"*) reply cameras; [ -e "$ROOT/replies/cameras" ] ;;
"systemctl get-default") reply default-target || echo multi-user.target ;;
"systemctl is-enabled display-manager"*) echo enabled ;;
"dpkg --status"*) [ -e "$ROOT/replies/packages" ] && echo "Status: install ok installed" ;;
"systemctl is-enabled"*) reply enabled; [ -e "$ROOT/replies/enabled" ] ;;
"systemctl enable"*) echo enabled >"$ROOT/replies/enabled" ;;
"systemctl daemon-reload") rm -f "$ROOT/replies/reload" ;;
"systemctl is-active"*) [ -e "$ROOT/replies/pid" ] ;;
"systemctl restart"*)
    if [ -e "$ROOT/replies/broken" ]; then exit 1; fi
    echo 77 >"$ROOT/replies/pid"
    ;;
"apt-cache show"*) [ -e "$ROOT/replies/apt-knows" ] ;;
"apt-get install"*mosquitto*)
    [ -e "$ROOT/replies/apt-fresh" ] || exit 1
    mkdir -p "$ROOT/etc/mosquitto/conf.d"
    echo "include_dir /etc/mosquitto/conf.d" >"$ROOT/etc/mosquitto/mosquitto.conf"
    ;;
"apt-get install"*cage*) [ -e "$ROOT/replies/apt-fresh" ] ;;
"apt-get install"*) [ -e "$ROOT/replies/apt-fresh" ] && : >"$ROOT/replies/picamera2" ;;
"apt-get update"*)
    [ -e "$ROOT/replies/apt-online" ] || exit 1
    : >"$ROOT/replies/apt-knows"
    : >"$ROOT/replies/apt-fresh"
    ;;
findmnt*--mountpoint*) reply mounted || exit 1 ;;
findmnt*) reply root || echo ext4 ;;
chown*) [ ! -e "$ROOT/replies/chown-fails" ] ;;
esac
"""
STUBBED = (
    "id", "getent", "uname", "systemctl", "udevadm", "dpkg", "apt-cache", "apt-get", "findmnt",
    "useradd", "usermod", "userdel", "groupadd", "chown", "sync",
)  # fmt: skip
#: The stub of python3: creates a release without wheels; the real Python runs everything else.
PYTHON = r"""#!/bin/sh
case "$*" in
"-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin"
    cp "$0" "$folder/bin/python"
    : >"$folder/pyvenv.cfg"
    ;;
*/pip\ *)
    cp "$ROOT/mask-patrol" "${0%/*}/mask-patrol"
    chmod +x "${0%/*}/mask-patrol"
    ;;
"-c import importlib"*picamera2* | "-c import picamera2") [ -e "$ROOT/replies/picamera2" ] ;;
*) exec "$REAL_PYTHON" "$@" ;;
esac
"""


#: The command of a release: `broker` is the real command with its paths below $ROOT, all other
#: commands succeed.
COMMAND = r"""#!/bin/sh
if [ "$1" != broker ]; then exit 0; fi
exec "$REAL_PYTHON" - "$@" <<'END'
import functools, os, sys
from pathlib import Path

from edge.cli.main import main
from edge.service.local_broker import mosquitto_service, places

root = Path(os.environ["ROOT"])
places.Places = functools.partial(places.Places, root)
mosquitto_service.BOOTED = root / "run/systemd/system"
sys.exit(main(sys.argv[1:]))
END
"""


class Root:
    """The folder, with an unpacked bundle in it."""

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
            "install.sh": self._moved("install.sh"),
            "questions.sh": self._moved("questions.sh"),
        }.items():
            path = self.bundle / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.bundle / "install.sh").chmod(0o755)
        for name in ("units", "storage"):
            (self.bundle / name).mkdir()
            for path in (ROOT / "systemd" / name).iterdir():
                (self.bundle / name / path.name).write_bytes(path.read_bytes())
        for name in ("run/systemd/system", "run/lock", "replies", "bin", "proc", "boot/firmware"):
            (folder / name).mkdir(parents=True)
        (folder / "proc/cmdline").write_text("quiet\n")
        (folder / "boot/firmware/cmdline.txt").write_text("quiet\n")
        for name in STUBBED:
            self._program(folder / "bin" / name, STUB)
        self._program(folder / "python3", PYTHON)
        self._program(folder / "mask-patrol", COMMAND)
        self.set_version("1")

    def _moved(self, script: str) -> str:
        """Return a script whose paths are below the folder."""
        text = (ROOT / "systemd" / script).read_text()
        text = text.replace("PYTHON=/usr/bin/python3", f"PYTHON={self.folder}/python3")
        moved, count = re.subn(
            r"(?<![\w}.])/(opt|etc|var|run|usr/local|boot|proc(?=/cmdline))/",
            rf"{self.folder}/\1/",
            text,
        )
        assert count > (10 if script == "install.sh" else 1)
        return moved

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def program(self, name: str, text: str) -> None:
        """Replace a program that install.sh runs."""
        self._program(self.folder / "bin" / name, text)

    def set_version(self, version: str) -> None:
        """Give the bundle this version."""
        from bundle.build import SUMS, VERSION, checksums

        (self.bundle / VERSION).write_text(f"{version}\n")
        (self.bundle / SUMS).write_text(checksums(self.bundle))

    def reply(self, name: str, text: str | None = "") -> None:
        """Set a reply of the stubs; None removes it."""
        path = self.folder / "replies" / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "ROOT": str(self.folder),
            "REAL_PYTHON": sys.executable,
            "PYTHONPATH": os.fspath(ROOT),
            "LC_ALL": "C.UTF-8",
        }

    def install(self, *arguments: str, code: int = 0) -> str:
        """Run install.sh, which must exit with `code`; return its output."""
        (self.folder / "calls").write_text("")
        result = subprocess.run(
            ["/bin/sh", self.bundle / "install.sh", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def install_at_terminal(self, answers: Mapping[str, str], *arguments: str) -> str:
        """Run install.sh at a terminal; return what the terminal shows.

        `answers` are typed after those prompts, in this order; there must be no other prompt.
        """
        (self.folder / "calls").write_text("")
        own, theirs = pty.openpty()
        process = subprocess.Popen(
            ["/bin/sh", self.bundle / "install.sh", *arguments],
            env=self.environment, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        shown, waiting = "", iter(answers.items())
        with contextlib.suppress(OSError):  # EIO: the last process has closed the terminal
            while part := os.read(own, 4096):
                shown += part.decode(errors="replace")
                last_line = shown.rpartition("\n")[2]
                if last_line.endswith(": "):
                    prompt, answer = next(waiting, ("", ""))
                    assert prompt
                    assert last_line.startswith(prompt)
                    os.write(own, f"{answer}\n".encode())
        os.close(own)
        assert (process.wait(PATIENCE_S), list(waiting)) == (0, []), shown
        return shown

    def calls(self, prefix: str) -> list[str]:
        """Return the calls of the last run that start with `prefix`."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(prefix)]

    @property
    def current(self) -> str:
        return (self.folder / "opt/mask-patrol/current").readlink().name

    @property
    def config(self) -> Path:
        return self.folder / "etc/mask-patrol/mask-patrol.toml"

    def write_config(self, source: str = "demo", host: str = "'broker.lan'") -> Path:
        """Write a configuration for `--config`; return its path."""
        path = self.folder / "site.toml"
        path.write_text(f"[camera]\nsource = '{source}'\n[mqtt]\nhost = {host}\n")
        return path


pytestmark = needs("flock")
#: The account that has planted a file; it only must not be root.
OTHER_ACCOUNT = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


@pytest.fixture
def first(root: Root) -> Root:
    """A root on which version 1 is installed and runs."""
    output = root.install("--config", str(root.write_config()))
    assert "Done: 1." in output
    assert root.calls("systemctl restart") == ["systemctl restart mask-patrol.service"]
    return root


def restarted(root: Root) -> bool:
    """Return whether the last run of install.sh restarted the service."""
    return bool(root.calls("systemctl restart"))


def restart_pending(root: Root) -> bool:
    return (root.folder / str(RESTART_PENDING).lstrip("/")).exists()


@pytest.mark.slow
def test_mode_of_linked_configuration_is_not_changed(first: Root) -> None:
    target = first.folder / "own.toml"
    first.config.rename(target)
    target.chmod(0o600)
    first.config.symlink_to(target)
    assert "Nothing to change: 1 is installed." in first.install()
    assert not any(str(first.config) in call for call in first.calls("chown"))
    assert target.stat().st_mode & 0o777 == 0o600


SHARED_ACCOUNT = "the dashboard uses the daemon's account"


def write_daemon_account(root: Root, name: str = "mqtt-username") -> Path:
    """Write a file of the daemon's account at the broker; return its folder."""
    folder = root.folder / "etc/mask-patrol/credentials"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("door1\n")
    return folder


def test_release_key_is_pinned(root: Root, tmp_path: Path) -> None:
    maker, stranger = SigningKey(tmp_path), SigningKey(tmp_path, "stranger", "ecdsa")
    pinned = root.folder / "etc/mask-patrol/release-key.pub"
    arguments = ("--config", str(root.write_config()), "--release-key")
    for wrong in (maker.private, root.bundle / "README.md", root.bundle / "SHA256SUMS"):
        assert f"{wrong} is not a public key" in root.install(*arguments, str(wrong), code=2)

    signature = root.folder / "bundle.sig"  # beside the folder of the bundle
    signature.write_bytes(stranger.signature((root.bundle / "SHA256SUMS").read_bytes()))
    output = root.install(*arguments, str(maker.public), code=1)
    assert f"the key in {maker.public} has not signed this bundle" in output
    assert not (root.folder / "opt").exists()

    signature.write_bytes(maker.signature((root.bundle / "SHA256SUMS").read_bytes()))
    output = root.install(*arguments, str(maker.public))
    assert "Updates must be signed with: 256 SHA256:" in output
    assert pinned.read_bytes() == maker.public.read_bytes()
    assert pinned.stat().st_mode & 0o777 == 0o644
    assert "Nothing to change: 1 is installed." in root.install(*arguments, str(maker.public))

    # A bundle from a clone is not signed: the key applies to updates.
    signature.unlink()
    output = root.install("--release-key", str(stranger.public))
    assert "this bundle is not signed" in output
    assert pinned.read_bytes() == stranger.public.read_bytes()
    assert not restarted(root)


def test_installation_after_a_failed_first_one_asks_again(root: Root) -> None:
    assert "the camera must be picamera2" in root.install("--camera", "usb", code=2)
    assert not root.config.exists()
    # apt is offline: the broker cannot be set up, after the camera has been written.
    root.install("--camera", "/dev/video0", "--broker", "here", code=1)
    assert not root.config.exists()
    answers = {
        "Camera": "/dev/video0",
        "Broker": "192.0.2.9",
        "User name": "",
        "Name": "",
        "Dashboard": "perhaps",
        "Dashboard (": "no",
    }
    assert "Done: 1." in root.install_at_terminal(answers)
    assert load_settings(root.config).mqtt.host == "192.0.2.9"
    assert not root.calls("systemctl enable --quiet mask-patrol-dashboard")
    # A configuration that was there before is kept.
    root.install("--camera", "usb", code=2)
    assert load_settings(root.config).mqtt.host == "192.0.2.9"


def activate(root: Root, version: str) -> str:
    """Run install.sh of a release as `mask-patrol update` does; return its output."""
    script = root.folder / "opt/mask-patrol" / version / "share/mask-patrol/install.sh"
    result = subprocess.run(
        ["/bin/sh", script, "--activate"],
        env=root.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return result.stdout


@pytest.mark.parametrize("other", ["owner", "link", "second name"])
def test_update_takes_the_configuration_from_other_accounts(first: Root, other: str) -> None:
    """A dashboard of an earlier version may own it, and could still write to it."""
    first.config.chmod(0o646)
    target = first.folder / "target.toml"
    if other != "owner":
        first.config.rename(target)
        (first.config.symlink_to if other == "link" else first.config.hardlink_to)(target)
    (first.folder / "calls").write_text("")
    activate(first, "1")
    is_taken = other == "owner"
    assert (f"chown root:mask-patrol {first.config}" in first.calls("chown")) is is_taken
    assert stat.S_IMODE(first.config.stat().st_mode) == (0o640 if is_taken else 0o646)


def test_account_that_cannot_be_created_does_not_prevent_the_activation(first: Root) -> None:
    """The unit that ends a trial after a power cut cannot create files in /etc."""
    first.set_version("2")
    first.install("--release-only")
    script = first.folder / "opt/mask-patrol/2/share/mask-patrol/install.sh"
    missing = f"{first.folder}/etc/mask-patrol-dashboard"
    script.write_text(script.read_text().replace(missing, "/proc/mask-patrol-dashboard"))
    for account in ("install -d", "link"):
        if account == "link":
            write_daemon_account(first)
            (first.folder / "var/lib/private/mask-patrol-dashboard").mkdir(parents=True)
            (first.folder / "opt/mask-patrol/current").unlink()
        output = activate(first, "2")
        assert "/proc/mask-patrol-dashboard cannot be created, without which" in output
        assert first.current == "2"


def test_new_dashboard_does_not_get_the_daemons_account(root: Root) -> None:
    write_daemon_account(root)
    output = root.install("--dashboard", "--config", str(root.write_config()))
    account = root.folder / "etc/mask-patrol-dashboard"
    assert not account.is_symlink()
    assert account.stat().st_mode & 0o777 == 0o700
    assert list(account.iterdir()) == []
    assert SHARED_ACCOUNT not in output


@pytest.mark.parametrize("name", ["mqtt-username", "mqtt-password"])
def test_updated_dashboard_keeps_the_daemons_account_until_it_has_its_own(
    root: Root, name: str
) -> None:
    daemon = write_daemon_account(root, name)
    (root.folder / "var/lib/private/mask-patrol-dashboard").mkdir(parents=True)
    account = root.folder / "etc/mask-patrol-dashboard"
    assert SHARED_ACCOUNT in root.install("--config", str(root.write_config()))
    assert account.readlink() == daemon
    output = root.install()
    assert "Nothing to change" in output
    assert SHARED_ACCOUNT in output
    account.unlink()
    account.mkdir()
    (account / "mqtt-username").write_text("dashboard\n")
    assert SHARED_ACCOUNT not in root.install()
    assert (account / "mqtt-username").read_text() == "dashboard\n"


@pytest.mark.parametrize("own", [False, True])
def test_account_of_the_daemon_in_the_configuration_is_reported(root: Root, own: bool) -> None:
    (root.folder / "var/lib/private/mask-patrol-dashboard").mkdir(parents=True)
    config = root.write_config()
    more = "username = 'door1'\n[dashboard]\nmqtt_username = 'dashboard'\n"
    config.write_text(config.read_text() + (more if own else more.partition("[")[0]))
    assert (SHARED_ACCOUNT in root.install("--config", str(config))) is not own


@pytest.mark.parametrize("purge", [False, True])
def test_uninstall_keeps_the_dashboards_account_until_purged(first: Root, purge: bool) -> None:
    (first.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    account = first.folder / "etc/mask-patrol-dashboard"
    (account / "mqtt-username").write_text("dashboard\n")
    output = first.install("uninstall", *(["--purge"] if purge else []))
    assert account.exists() is not purge
    assert (f"Left: {account} (" in output) is not purge


def test_uninstall_removes_the_link_to_the_daemons_account(first: Root) -> None:
    (first.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    daemon, account = write_daemon_account(first), first.folder / "etc/mask-patrol-dashboard"
    account.rmdir()
    account.symlink_to(daemon)
    first.install("uninstall")
    assert not account.is_symlink()
    assert (daemon / "mqtt-username").exists()


def test_second_run_changes_nothing(first: Root) -> None:
    assert not restart_pending(first)
    assert "Nothing to change: 1 is installed." in first.install()
    assert not restarted(first)
    assert not first.calls("systemctl daemon-reload")


@pytest.mark.slow
def test_refused_configuration_keeps_the_old_release(first: Root) -> None:
    first.config.write_text("[mqtt]\nhots = 'x'\n")
    first.set_version("2")
    output = first.install(code=2)
    assert "unknown setting `mqtt.hots`" in output
    assert f"the new version was not activated: correct {first.config}" in output
    assert first.current == "1"
    assert not restarted(first)
    first.config.write_text("[mqtt]\nhost = 'b'\n")
    assert "Done: 2." in first.install()
    assert first.current == "2"
    assert restarted(first)


@pytest.mark.slow
def test_next_run_restarts_after_no_start(first: Root) -> None:
    first.set_version("2")
    assert "the old process still runs" in first.install("--no-start")
    assert first.current == "2"
    assert not restarted(first)
    assert "Nothing to change" not in first.install()
    assert restarted(first)
    assert "Nothing to change" in first.install()


@pytest.mark.slow
def test_new_configuration_is_used_by_the_next_run(first: Root) -> None:
    first.install("--no-start", "--config", str(first.write_config(host="'other.lan'")))
    assert not restarted(first)
    first.install()
    assert restarted(first)


@pytest.mark.slow
def test_next_run_restarts_after_a_failed_restart(first: Root) -> None:
    first.set_version("2")
    first.reply("broken")
    assert "the service does not start: journalctl" in first.install(code=1)
    first.reply("broken", None)
    assert "Done: 2." in first.install()
    assert restarted(first)
    assert "systemctl daemon-reload" in first.calls("systemctl")
    assert not restart_pending(first)


@pytest.mark.slow
def test_stopped_service_needs_no_restart(root: Root) -> None:
    """A service that does not run uses the installed files at its next start."""
    root.install("--no-start", "--config", str(root.write_config()))
    assert not restart_pending(root)
    root.reply("pid", "5\n")  # started manually
    assert "Nothing to change" in root.install()
    assert not restarted(root)


@pytest.mark.slow
def test_update_leaves_no_pending_restart(first: Root) -> None:
    first.set_version("2")
    first.install("--release-only")
    activate(first, "2")
    assert first.current == "2"
    assert not restart_pending(first)


@pytest.mark.slow
def test_changed_units_are_reloaded(first: Root) -> None:
    first.reply("reload", "yes\n")
    first.install()
    assert first.calls("systemctl daemon-reload")


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["--help", "--purg", "--purge --now"])
def test_uninstall_refuses_other_arguments(first: Root, argument: str) -> None:
    assert "uninstall takes no argument or --purge" in first.install(
        "uninstall", *argument.split(), code=2
    )
    assert first.current == "1"
    assert not first.calls("systemctl stop")


def test_purge_reloads_systemd_and_names_the_rest(first: Root) -> None:
    # Replace the installed script, which would examine the boot partition of this machine.
    (first.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    drop_in = first.folder / "etc/systemd/system/mask-patrol.service.d"
    drop_in.mkdir(parents=True)
    output = first.install("uninstall", "--purge")
    assert f"Left: your drop-in {drop_in}" in output
    assert "Left: Debian packages" in output
    assert first.calls("systemctl daemon-reload")
    assert first.calls("systemctl try-reload-or-restart systemd-journald.service")
    assert not list((first.folder / "opt").iterdir())
    assert not first.config.exists()


@pytest.mark.slow
def test_uninstall_turns_off_the_read_only_root_first(first: Root) -> None:
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


@pytest.mark.slow
@pytest.mark.parametrize("purge", [True, False])
def test_only_purge_empties_the_data_partition(first: Root, purge: bool) -> None:
    (first.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    events = first.folder / "var/lib/mask-patrol/outbox.sqlite3"
    events.parent.mkdir(parents=True, exist_ok=True)
    events.touch()
    first.reply("mounted", "/dev/mmcblk0p3\n")
    output = first.install("uninstall", *(["--purge"] if purge else []))
    calls = first.calls("systemctl stop")
    assert (
        calls[-1] == "systemctl stop mask-patrol-data.service"
    )  # the partition is unmounted after the service was stopped
    assert events.exists() is not purge
    assert ("which was" in output, "and is empty" in output) == (True, purge)


def test_failure_to_turn_off_read_only_stops_uninstall(first: Root) -> None:
    switch = first.folder / "usr/local/sbin/mask-patrol-read-only"
    switch.write_text("#!/bin/sh\necho 'cannot' >&2; exit 1\n")
    assert "cannot turn off the read-only root" in first.install("uninstall", code=1)
    assert (first.folder / "usr/local/lib/mask-patrol/overlay-init").exists()
    assert first.current == "1"


@pytest.mark.slow
def test_read_only_root_is_refused(first: Root) -> None:
    parameters = first.folder / "proc/cmdline"
    parameters.write_text(f"quiet init={first.folder}/usr/local/lib/mask-patrol/overlay-init\n")
    first.reply("root", "overlay\n")
    first.set_version("2")
    for arguments in ((), ("uninstall",)):
        assert "sudo mask-patrol-read-only off" in first.install(*arguments, code=1)
    assert first.current == "1"
    first.reply("root", "ext4\n")  # as if the overlay could not be mounted
    first.install()
    assert first.current == "2"


def test_configuration_gets_its_group_before_its_name(root: Root) -> None:
    root.reply("chown-fails")
    root.install("--config", str(root.write_config()), code=1)
    assert root.calls("chown") == [f"chown root:mask-patrol {root.config}.new"]
    assert not root.config.exists()


def test_lock_of_another_user_does_not_block(root: Root) -> None:
    """Every user can create files in /run/lock and hold them."""
    planted = root.folder / "run/lock/mask-patrol-install.lock"
    with planted.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        root.install("--config", str(root.write_config()))
    # A user who can open a lock can hold it: only root may reach the folder.
    folder = root.folder / str(LOCK.parent).lstrip("/")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with (folder / LOCK.name).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another installation is running" in root.install(code=1)


def test_folder_of_the_configuration_is_taken_from_the_group(first: Root) -> None:
    folder = first.config.parent
    folder.chmod(0o2775)
    first.set_version("2")
    assert f"{folder}: other accounts can no longer write to it" in first.install()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert f"chown root:root {folder}" in first.calls("chown")
    assert "can no longer write" not in first.install()


@pytest.mark.parametrize("name", ["mask-patrol.toml.old", "mask-patrol.toml.new"])
@pytest.mark.parametrize("kind", ["link", "link to a folder", "second name", "folder"])
def test_planted_file_is_replaced_and_not_followed(first: Root, name: str, kind: str) -> None:
    victim, planted = first.folder / "victim", first.config.parent / name
    victim.mkdir() if "folder" in kind else victim.write_text("theirs")
    if kind == "folder":
        planted.mkdir()
    elif kind == "second name":
        planted.hardlink_to(victim)
    else:
        planted.symlink_to(victim)
    before, old = victim.stat().st_mode, first.config.read_text()
    new = first.write_config(host="'other.lan'")
    code = 1 if kind == "folder" and name.endswith("old") else 0  # which mv reports
    first.install("--config", str(new), code=code)
    assert victim.stat().st_mode == before
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == "theirs"
    if code == 0:
        assert first.config.read_text() == new.read_text()
        assert (first.config.parent / "mask-patrol.toml.old").read_text() == old
        names = {path.name for path in first.config.parent.iterdir()}
        assert names == {"mask-patrol.toml", "mask-patrol.toml.old", "credentials"}


@needs_root
@pytest.mark.parametrize("name", ["mask-patrol.toml", "credentials", "credentials/mqtt-password"])
@pytest.mark.parametrize("kind", ["link", "FIFO"])
def test_planted_input_is_refused(first: Root, name: str, kind: str) -> None:
    planted, victim = first.config.parent / name, first.folder / "victim"
    victim.mkdir() if name == "credentials" else victim.write_text("theirs")
    victim.chmod(0o751)
    if planted.is_dir():
        planted.rmdir()
    planted.unlink(missing_ok=True)
    planted.symlink_to(victim) if kind == "link" else os.mkfifo(planted)
    os.lchown(planted, OTHER_ACCOUNT, OTHER_ACCOUNT)
    first.set_version("2")
    output = first.install(code=2)
    assert f"{planted} could lead root to a file of others" in output
    assert stat.S_IMODE(victim.stat().st_mode) == 0o751
    assert first.current == "1"


def test_configuration_that_is_another_file_is_refused(first: Root) -> None:
    """The owner and the mode of a file are changed under each of its names."""
    victim = first.folder / "victim"
    victim.write_text("[mqtt]\nhost = 'x'\n")
    victim.chmod(0o600)
    first.config.unlink()
    first.config.hardlink_to(victim)
    assert "link count 2" in first.install(code=2)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


def write_camera(root: Root, text: str) -> Path:
    """Write a further camera with the settings `text`; return its settings file."""
    folder = root.config.parent
    (folder / "door2.credentials").mkdir(parents=True, exist_ok=True)
    (folder / "door2.toml").write_text(text)
    return folder / "door2.toml"


def test_further_camera_is_checked_closed_and_restarted(first: Root) -> None:
    settings = write_camera(first, "[mqtt]\nhots = 'x'\n")
    (first.config.parent / "backup.toml").write_text("no camera, and no settings\n")
    first.set_version("2")
    output = first.install(code=2)
    assert "unknown setting `mqtt.hots`" in output
    assert f"the new version was not activated: correct {settings}" in output
    assert first.current == "1"
    settings.write_text("[camera]\nsource = 'picamera2'\n[mqtt]\nhost = 'b'\n")
    settings.chmod(0o646)
    first.reply("cameras", "enabled\n")
    output = first.install()
    assert first.calls("systemctl restart") == [
        "systemctl restart mask-patrol.service mask-patrol@door2.service"
    ]
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert apt_commands(first) == ["update"]
    assert "picamera2, which is not installed" in output
    first.reply("cameras", None)  # turned off; but the stub says that every unit is active
    assert "Nothing to change" in first.install()


def test_first_camera_that_is_turned_off_stays_off(root: Root) -> None:
    write_camera(root, "[mqtt]\nhost = 'b'\n")
    root.reply("cameras", "enabled\n")
    root.install()
    assert root.calls("systemctl restart") == ["systemctl restart mask-patrol@door2.service"]
    assert not root.calls("systemctl enable --quiet mask-patrol.service")
    # With a configuration of its own it is wanted.
    root.reply("enabled", None)
    root.install("--config", str(root.write_config()))
    assert root.calls("systemctl enable --quiet mask-patrol.service")


def test_uninstall_removes_further_cameras(first: Root) -> None:
    (first.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    settings = write_camera(first, "")
    link = first.folder / "etc/systemd/system/multi-user.target.wants/mask-patrol@gone.service"
    link.parent.mkdir(parents=True)
    link.symlink_to("/nowhere")
    template = first.folder / "usr/local/lib/systemd/system/mask-patrol@.service"
    assert template.exists()
    first.install("uninstall")
    assert "systemctl disable --quiet mask-patrol@gone.service" in first.calls("systemctl")
    assert "systemctl stop mask-patrol@*.service" in first.calls("systemctl")
    assert not template.exists()
    assert settings.exists()
    first.install("uninstall", "--purge")
    assert not settings.exists()


def apt_commands(root: Root) -> list[str]:
    return [call.split()[1] for call in root.calls("apt-get")]


def test_picamera2_is_installed_without_a_configuration(root: Root) -> None:
    root.reply("apt-online")
    root.install()
    assert apt_commands(root) == ["update", "install"]
    root.install()
    assert apt_commands(root) == []  # the configuration now exists, with another camera


@pytest.mark.slow
def test_picamera2_is_installed_if_configured(root: Root) -> None:
    root.reply("apt-knows")  # outdated package lists contain python3-picamera2
    output = root.install("--config", str(root.write_config("picamera2")))
    assert apt_commands(root) == ["install", "update"]
    assert "apt could not install python3-picamera2" in output
    assert "camera.source is picamera2, which is not installed" in output
    root.reply("apt-online")
    assert "which is not installed" not in root.install()
    assert apt_commands(root) == ["install", "update", "install"]
    assert restarted(root)
    assert "Nothing to change" in root.install()
    assert apt_commands(root) == []


def test_missing_picamera2_package_is_reported(root: Root) -> None:
    assert "apt has no python3-picamera2" in root.install()
    assert apt_commands(root) == ["update"]


@pytest.mark.parametrize(("source", "options"), [("demo", ()), ("picamera2", ("--offline",))])
def test_picamera2_is_not_installed_needlessly(
    root: Root, source: str, options: tuple[str, ...]
) -> None:
    root.reply("apt-knows")
    root.install("--config", str(root.write_config(source)), *options)
    assert apt_commands(root) == []


def test_picamera2_is_not_mentioned_for_another_camera(root: Root) -> None:
    root.reply("apt-online")
    output = root.install("--camera", "/dev/video0", "--broker", "broker.lan")
    assert "apt has no" not in output
    assert apt_commands(root) == []


def test_new_dashboard_starts_before_the_daemon(root: Root) -> None:
    """The broker keeps no events for a dashboard that has never been connected."""
    starts = [
        "systemctl start mask-patrol-dashboard.service",
        "systemctl restart mask-patrol.service",
    ]
    config = ("--config", str(root.write_config()))
    root.install("--dashboard", *config)
    assert [call for call in root.calls("systemctl") if call in starts] == starts
    # The broker keeps the events for one that was.
    (root.folder / "var/lib/private/mask-patrol-dashboard").mkdir(parents=True)
    root.reply("pid", None)
    root.install("--dashboard", *config)
    both = "systemctl restart mask-patrol.service mask-patrol-dashboard.service"
    assert root.calls("systemctl restart") == [both]
    assert not root.calls("systemctl start")


def test_screen_is_installed_with_what_it_needs(root: Root) -> None:
    root.reply("apt-online")
    config = root.write_config()
    config.write_text(f"{config.read_text()}[door_screen]\nlanguages = ['en', 'zh']\n")
    root.install("--screen", "--config", str(config))
    packages = "cage seatd chromium fonts-noto-core fonts-noto-cjk"
    assert root.calls("apt-get install")[-1].endswith(f"--no-install-recommends {packages}")
    assert root.calls("systemctl start mask-patrol-dashboard.service")
    assert root.calls("systemctl restart mask-patrol-screen.service")
    unit = root.folder / "usr/local/lib/systemd/system/mask-patrol-screen.service"
    assert unit.exists()
    root.reply("packages")
    root.install("--screen", "--config", str(config))
    assert apt_commands(root) == []
    (root.folder / "boot/firmware/cmdline.txt").unlink()
    root.install("uninstall")
    assert not unit.exists()


def test_screen_of_another_dashboard_is_set_by_its_link(root: Root) -> None:
    root.reply("packages")
    link = "https://desk.lan/door/door1?token=abc"
    output = root.install("--broker", "broker.lan", "--camera", "/dev/video0", "--screen", link)
    assert "abc" not in output
    settings = load_settings(root.folder / "etc/mask-patrol/mask-patrol.toml")
    assert settings.door_screen.address == link
    assert root.calls("systemctl restart mask-patrol-screen.service")
    assert not root.calls("systemctl start mask-patrol-dashboard.service")
    refused = root.install("--screen", "desk.lan", code=2)
    assert "expected the link of a screen" in refused


def test_screen_needs_a_free_display_and_its_packages(root: Root) -> None:
    root.reply("default-target", "graphical.target\n")
    config = str(root.write_config())
    assert "this system starts a desktop" in root.install("--screen", "--config", config, code=2)
    root.reply("default-target", None)
    output = root.install("--screen", "--offline", "--config", config, code=1)
    assert "not installed: cage seatd chromium fonts-noto-core; leave out --offline" in output
    assert not root.calls("systemctl restart")


def broker_root(root: Root, source: str = "/dev/video0") -> Root:
    """Return the root with a configuration of `source`, and with a network for apt."""
    root.reply("apt-online")
    root.write_config(source, host="''")
    return root


def install_broker(root: Root, *arguments: str, code: int = 0) -> str:
    config = str(root.folder / "site.toml")
    return root.install("--broker", "here", "--config", config, *arguments, code=code)


@needs_root
def test_broker_is_installed_and_used(root: Root) -> None:
    output = install_broker(broker_root(root))
    assert apt_commands(root) == ["install", "update", "install"]
    assert re.search(r"fingerprint \(SHA-256\) of its certificate is ([0-9A-F]{2}:){31}", output)
    assert root.calls("systemctl restart") == [
        "systemctl restart mosquitto.service",
        "systemctl restart mask-patrol.service",
    ]
    assert "systemctl enable --quiet mosquitto.service" in root.calls("systemctl enable")
    settings = load_settings(root.config)
    assert (settings.mqtt.host, settings.mqtt.tls) == ("localhost", True)
    folder = root.folder / "etc/mask-patrol/credentials"
    assert (folder / "mqtt-username").read_text() == f"{settings.device}\n"
    account = root.folder / "etc/mask-patrol-dashboard/mqtt-username"
    assert account.read_text() == "dashboard\n"
    assert SHARED_ACCOUNT not in output
    # A second run, with or without the option, changes nothing.
    for options in (("--broker", "here"), ()):
        assert "Nothing to change: 1 is installed." in root.install(*options)
        assert not restarted(root)
        assert not restart_pending(root)
    assert apt_commands(root) == []


@needs_root
def test_interrupted_broker_setup_restarts_the_service_later(root: Root) -> None:
    """The first run ends before mosquitto starts; the daemon needs the new login."""
    install_broker(broker_root(root))
    (root.folder / "etc/mosquitto/mask-patrol/passwd").unlink()
    (root.folder / "etc/mask-patrol/credentials/mqtt-password").unlink()
    root.reply("broken")
    assert "mosquitto does not start: journalctl -u mosquitto" in root.install(
        "--broker", "here", code=1
    )
    assert restart_pending(root)
    root.reply("broken", None)
    root.install("--broker", "here")
    assert len(root.calls("systemctl restart")) == 2
    assert not restart_pending(root)


def test_other_broker_is_set_by_its_option_or_in_the_configuration(root: Root) -> None:
    root.write_config("/dev/video0", host="'broker.lan'")
    output = install_broker(root, code=2)
    assert 'names another broker, mqtt.host = "broker.lan": remove that line' in output
    assert apt_commands(root) == []
    assert not (root.folder / "opt/mask-patrol/current").exists()
    output = root.install("--broker", "192.0.2.5", "--config", f"{root.folder}/site.toml", code=2)
    assert f"with --config, write them into {root.folder}/site.toml instead" in output


def test_options_are_written_into_the_new_configuration(root: Root) -> None:
    options = (
        "--camera", "/dev/video0", "--broker", "192.0.2.5:1884", "--name", "Tür 1",
        "--dashboard", "network",
    )  # fmt: skip
    output = root.install(*options)
    settings = load_settings(root.config)
    assert (settings.title, settings.camera.source) == ("Tür 1", "/dev/video0")
    assert (settings.mqtt.host, settings.mqtt.port) == ("192.0.2.5", 1884)
    assert settings.dashboard.host == "0.0.0.0"
    assert "The dashboard prints its address to" in output  # the stub of systemctl starts nothing
    # The new dashboard starts before the daemon.
    assert root.calls("systemctl start ") == ["systemctl start mask-patrol-dashboard.service"]
    assert root.calls("systemctl restart") == ["systemctl restart mask-patrol.service"]
    assert "Nothing to change" in root.install(*options)
    # One option changes one setting of the existing configuration.
    root.install("--name", "Hintertür")
    assert restarted(root)
    assert load_settings(root.config).camera.source == "/dev/video0"
    assert load_settings(root.config).title == "Hintertür"


def test_camera_with_a_password_is_started_from_its_credential(root: Root) -> None:
    address = "rtsp://me:s3cret@192.0.2.20/stream1"
    output = root.install("--camera", address, "--broker", "192.0.2.5")
    credential = root.folder / "etc/mask-patrol/credentials/camera-source"
    assert credential.read_text() == f"{address}\n"
    assert "s3cret" not in root.config.read_text() + output
    assert restarted(root)


def test_unusable_option_is_refused(root: Root) -> None:
    output = root.install("--camera", "picamera", code=2)
    assert "install.sh: the camera must be picamera2, a device" in output
    assert "Traceback" not in output
    assert "--broker needs a value; " in root.install("--broker", "--offline", code=2)
    assert not (root.folder / "opt/mask-patrol/current").exists()


def test_first_installation_asks_on_a_terminal(root: Root) -> None:
    answers = {
        "Camera": "/dev/video7", "Broker [here]": "broker.lan", "User name": "door1",
        "Password": "s3cret", "Name [": "Tür 1", "Dashboard (yes or no) [yes]": "",
        "User name of the dashboard: ": "desk", "Password: ": "t0p",
    }  # fmt: skip
    output = root.install_at_terminal(answers)
    settings = load_settings(root.config)
    assert (settings.title, settings.camera.source) == ("Tür 1", "/dev/video7")
    assert (settings.mqtt.host, settings.dashboard.host) == ("broker.lan", "0.0.0.0")
    for folder, account in (
        ("mask-patrol/credentials", ["door1\n", "s3cret\n"]),
        ("mask-patrol-dashboard", ["desk\n", "t0p\n"]),
    ):
        files = [root.folder / "etc" / folder / f"mqtt-{name}" for name in ("username", "password")]
        assert [path.read_text() for path in files] == account
    assert "s3cret" not in output
    assert "t0p" not in output
    assert restarted(root)
    # Options and an existing configuration are not asked for; an empty answer takes the default.
    assert "Nothing to change" in root.install_at_terminal({})
    root.config.unlink()
    options = ("--camera", "picamera2", "--broker", "broker.lan", "--dashboard")
    root.install_at_terminal({"Name [": ""}, *options)
    assert load_settings(root.config).title == ""  # the host name needs no title


@pytest.mark.parametrize("options", [("--dashboard", "network"), ("--dashboard",), ("--screen",)])
def test_dashboard_of_an_option_is_asked_for_its_account(
    root: Root, options: tuple[str, ...]
) -> None:
    root.reply("packages")
    wanted = {"Dashboard (yes or no) [yes]": "no"} if options == ("--screen",) else {}
    answers = {
        "Broker [here]": "broker.lan", "User name": "door1", "Password": "s3cret", "Name [": "",
        **wanted, "User name of the dashboard: ": "de sk", "Password: ": """t' 0"p\\n""",
    }  # fmt: skip
    root.install_at_terminal(answers, "--camera", "/dev/video7", *options)
    files = [root.folder / f"etc/mask-patrol-dashboard/mqtt-{n}" for n in ("username", "password")]
    assert [path.read_text() for path in files] == ["de sk\n", """t' 0"p\\n\n"""]


def test_part_of_a_release_needs_no_space(root: Root) -> None:
    """A power cut must not fill a card so much that the installation never succeeds."""
    part = root.folder / "opt/mask-patrol/1/pyvenv.cfg"
    part.parent.mkdir(parents=True)
    part.write_text("")
    root.program("df", f'#!/bin/sh\nif [ -e "{part}" ]; then echo 499; else echo 500; fi\n')
    config = str(root.write_config())
    root.install("--config", config)
    assert (part.parent / ".complete").exists()
    root.program("df", "#!/bin/sh\necho 499\n")
    root.set_version("2")
    output = root.install("--config", config, code=1)
    assert "has 499 MB free, and a release needs 500 MB: free some space" in output


def test_broker_needs_the_network_or_local_packages(root: Root) -> None:
    broker_root(root)
    output = install_broker(root, "--offline", code=1)
    assert "leave out --offline, or give its packages with --deb-dir" in output
    root.reply("apt-online", None)
    output = install_broker(root, code=1)
    assert "apt could not install mosquitto: connect this machine to the network" in output


@needs_root
def test_other_configuration_of_mosquitto_stops_the_installation(root: Root) -> None:
    other = broker_root(root).folder / "etc/mosquitto/conf.d/other.conf"
    other.parent.mkdir(parents=True)
    other.write_text("listener 1883\n")
    output = install_broker(root, code=2)
    assert f"mosquitto on this device is already configured by {other}" in output
    assert not restarted(root)
    assert not (root.folder / "opt/mask-patrol/current").exists()
    assert other.read_text() == "listener 1883\n"


@needs_root
def test_demo_clip_is_not_published_to_the_own_broker(root: Root) -> None:
    output = install_broker(broker_root(root, "demo"))
    assert "Not started: the camera is the demo clip" in output
    assert root.calls("systemctl restart") == ["systemctl restart mosquitto.service"]


@needs_root
@pytest.mark.parametrize("purge", [False, True])
def test_uninstall_keeps_the_broker_until_purged(root: Root, purge: bool) -> None:
    install_broker(broker_root(root))
    (root.folder / "usr/local/sbin/mask-patrol-read-only").write_text("#!/bin/sh\n")
    output = root.install("uninstall", *(["--purge"] if purge else []))
    mosquitto = root.folder / "etc/mosquitto"
    for name in ("conf.d/mask-patrol.conf", "mask-patrol"):
        assert (mosquitto / name).exists() is not purge
    assert ("Left: the broker, which other devices may use" in output) is not purge
    assert ("systemctl try-restart mosquitto.service" in root.calls("systemctl")) is purge
    assert (mosquitto / "mosquitto.conf").exists()


PIN = '[[output]]\nname = "light"\npin = 17\n'
PROGRAM = '[[output]]\nname = "say"\ncommand = ["/bin/true"]\n'


def drop_ins(root: Root) -> list[str]:
    """Return the units whose daemons may use pins, and the name of the udev rule, where there."""
    units = root.folder / "usr/local/lib/systemd/system"
    rule = root.folder / "usr/local/lib/udev/rules.d/60-mask-patrol-gpio.rules"
    found = [path.parent.name.removesuffix(".service.d") for path in units.glob("*.d/gpio.conf")]
    return sorted(found) + [path.name for path in (rule,) if path.exists()]


def test_only_daemons_whose_settings_name_a_pin_may_use_pins(first: Root) -> None:
    rule = "60-mask-patrol-gpio.rules"
    with first.config.open("a") as config:
        config.write(PROGRAM)
    assert "Nothing to change" in first.install()
    assert drop_ins(first) == []
    without = first.config.read_text()
    first.config.write_text(without + PIN)
    first.reply("no-gpio")
    first.install()
    assert drop_ins(first) == ["mask-patrol", rule]
    assert first.calls("groupadd") == ["groupadd --system gpio"]
    assert first.calls("systemctl restart") != []
    assert any("--subsystem-match=gpio" in call for call in first.calls("udevadm trigger"))
    first.reply("no-gpio", None)
    assert "Nothing to change" in first.install()

    door2 = first.folder / "etc/mask-patrol/door2.toml"
    door2.write_text('device = "door2"\n' + PIN.replace("17", "18"))
    door2.with_name("door2.credentials").mkdir()
    first.install()
    assert drop_ins(first) == ["mask-patrol", "mask-patrol@", rule]
    door2.write_text("no TOML")
    first.install(code=2)
    assert drop_ins(first) == ["mask-patrol", "mask-patrol@", rule], (
        "what is refused changes nothing"
    )

    door2.unlink()
    first.config.write_text(without)
    first.install()
    assert drop_ins(first) == []


def test_update_keeps_the_pins_of_settings_that_cannot_be_read(first: Root) -> None:
    first.config.write_text(PIN)
    activate(first, "1")
    first.config.write_text("no TOML")
    activate(first, "1")
    assert drop_ins(first)[0] == "mask-patrol"
