"""The first-boot script: the setup, power cuts at every step, and failing steps."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from sdcard.card_files import UNIT, etc_files, kit_files
from sdcard.site import load_site

from tests.support.systemd.boot_scripts import FIRST_BOOT, Device
from tests.support.systemd.card_images import site_file

HASH = "$6$salt$hash"
INSTALLER = b'echo "installed $*" >>"$STUBS/calls"\n'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("dash") is None, reason="dash is not installed"),
]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit as it is in the root file system, with the files for /etc."""
    folder = tmp_path_factory.mktemp("site")
    dashboard = 'dashboard_username = "reader", dashboard_password = "s3cret-reader"'
    broker = f'{{username = "door7", password = "s3cret-broker", {dashboard}}}'
    user = f'{{name = "anna", password_hash = "{HASH}"}}'
    site = load_site(site_file(folder, user=user, broker=broker))
    kit = folder / "kit"
    files = {
        **kit_files(site),
        **{path[1:]: content for path, (content, _) in etc_files(site).items()},
        "settings/authorized_keys": b"ssh-ed25519 AAAA\n",
    }
    for name, content in files.items():
        path = kit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with tarfile.open(kit / "bundle.tar", "w") as archive:
        entry = tarfile.TarInfo("mask-patrol-1/install.sh")
        entry.size = len(INSTALLER)
        archive.addfile(entry, io.BytesIO(INSTALLER))
    return kit


def device_with(kit: Path, folder: Path) -> Device:
    """Return a device with the kit, and with remains of the kit on the boot partition."""
    device = Device.make(folder)
    shutil.copytree(kit, device.kit)
    device.redirect(device.kit)
    for path in ("usr/sbin/sshd", "usr/share/zoneinfo/Europe/Berlin"):
        (device.root / path).parent.mkdir(parents=True)
        (device.root / path).touch()
        (device.root / path).chmod(0o755)
    units = device.root / "etc/systemd/system"
    (units / UNIT).write_text("[Unit]\n")
    (device.boot / "mask-patrol.done").mkdir()
    (device.boot / "mask-patrol.done/left").write_text("s3cret-broker")
    return device


def assert_set_up(device: Device) -> None:
    etc = device.root / "etc"
    assert (etc / "hostname").read_text() == "door7\n"
    assert (etc / "hosts").read_text() == "127.0.0.1\tlocalhost\n127.0.1.1\tdoor7\n"
    assert (etc / "localtime").is_symlink()
    home = device.root / "home"
    assert f"anna:x:1000:1000::{home}/anna:/bin/bash\n" in (etc / "passwd").read_text()
    assert "anna:x:1000:" in (etc / "group").read_text()
    assert (etc / "shadow").read_text() == f"anna:{HASH}\n"
    assert (etc / "sudoers.d/010_pi-nopasswd").read_text().startswith("anna ")
    assert [path.name for path in home.iterdir()] == ["anna"]
    assert (home / "anna/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA\n"
    sshd_config = (etc / "ssh/sshd_config.d/01-mask-patrol.conf").read_text()
    assert sshd_config == "PasswordAuthentication yes\n"
    for name, secret in (
        ("mask-patrol/credentials/mqtt-password", "s3cret-broker"),
        ("mask-patrol-dashboard/mqtt-password", "s3cret-reader"),
    ):
        password = etc / name
        assert password.read_text() == secret
        assert password.stat().st_mode & 0o777 == 0o600
        assert password.parent.stat().st_mode & 0o777 == 0o700
    assert "installed --no-start --offline" in device.calls
    assert not (etc / "systemd/system" / UNIT).exists()
    assert not device.kit.exists()
    for folder in (device.root / "opt", device.boot):
        for path in folder.rglob("*"):
            if path.is_file():
                assert path.name in ("first-boot.sh", ".done")


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_next_boot_completes_an_interrupted_setup(kit: Path, tmp_path: Path, half: bool) -> None:
    complete = device_with(kit, tmp_path / "complete")
    assert complete.run(complete.kit / "first-boot.sh").returncode == 0
    assert_set_up(complete)
    for cut in complete.cut_points(half):
        device = device_with(kit, tmp_path / str(cut))
        script = device.kit / "first-boot.sh"
        done = device.run(script, cut=cut, half=half)
        assert done.returncode == -9, cut
        if script.exists():  # the unit runs the script only if the script exists
            done = device.run(script)
            assert done.returncode == 0, done.stderr
        assert_set_up(device)


def read_only_device(kit: Path, folder: Path) -> Device:
    """Return a device that is to get a read-only root.

    After `reboot`, its root is an overlay if the read-only root was turned on before.
    """
    device = device_with(kit, folder)
    for setting in ("data-partition", "read-only"):
        (device.kit / "settings" / setting).write_text("yes\n")
    switch = device.root / "usr/local/sbin/mask-patrol-read-only"
    switch.parent.mkdir(parents=True)
    switch.write_text('#!/bin/sh\necho "switch $*" >>"$STUBS/calls"\n: >"$STUBS/on"\n')
    switch.chmod(0o755)
    device.command("findmnt", '#!/bin/sh\n[ -e "$STUBS/over" ] && echo overlay || echo ext4\n')
    device.command("mount", '#!/bin/sh\necho "mount $*" >>"$STUBS/calls"\n')
    (device.root / "media").mkdir()
    (device.root / "media/root-ro").symlink_to(device.root)
    return device


def reboot(device: Device) -> None:
    """Make the root an overlay if the read-only root was turned on."""
    if (device.stubs / "on").exists():
        (device.stubs / "over").touch()


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_interrupted_setup_still_makes_root_read_only(
    kit: Path, tmp_path: Path, half: bool
) -> None:
    complete = read_only_device(kit, tmp_path / "complete")
    assert complete.run(complete.kit / "first-boot.sh").returncode == 0
    assert_set_up(complete)
    assert complete.calls.count("switch on") == 1
    assert complete.calls[-1] == "systemctl reboot --no-block"
    # The data partition is mounted before the daemon starts.
    mounted = "systemctl enable --quiet --now mask-patrol-data.service"
    assert mounted in complete.calls
    for cut in complete.cut_points(half):
        device = read_only_device(kit, tmp_path / str(cut))
        script, unit = device.kit / "first-boot.sh", device.root / "etc/systemd/system" / UNIT
        assert device.run(script, cut=cut, half=half).returncode == -9, cut
        reboot(device)
        is_overlay = (device.stubs / "over").exists()
        if script.exists() and unit.exists():
            assert device.run(script).returncode == 0
            last = "start --no-block mask-patrol.service" if is_overlay else "reboot --no-block"
            assert device.calls[-1] == f"systemctl {last}"
        assert device.calls.count("switch on") == 1, cut
        assert not unit.exists()  # a remaining unit would undo a later `mask-patrol-read-only off`
        assert not (device.kit / "settings").exists()


def test_failure_to_make_root_read_only_is_retried(kit: Path, tmp_path: Path) -> None:
    device = read_only_device(kit, tmp_path)
    switch = device.root / "usr/local/sbin/mask-patrol-read-only"
    working = switch.read_text()
    switch.write_text("#!/bin/sh\nexit 1\n")
    script = device.kit / "first-boot.sh"
    done = device.run(script)
    assert done.returncode == 1
    assert "cannot make the root read-only; this is retried" in done.stdout
    assert device.calls[-1] == "systemctl start --no-block mask-patrol.service"
    assert not (device.kit / "settings").exists()  # these contain passwords
    switch.write_text(working)
    assert device.run(script).returncode == 0
    assert device.calls[-1] == "systemctl reboot --no-block"
    assert_set_up(device)


def test_failing_mount_of_data_partition_is_retried(kit: Path, tmp_path: Path) -> None:
    device = read_only_device(kit, tmp_path)
    device.command(
        "systemctl",
        '#!/bin/sh\necho "systemctl $*" >>"$STUBS/calls"\n'
        'case "$*" in *mask-patrol-data*) [ -e "$STUBS/working" ] ;; esac\n',
    )
    script = device.kit / "first-boot.sh"
    done = device.run(script)
    assert done.returncode == 1
    assert "these steps failed and are retried: mount_data" in done.stdout
    assert "systemctl start --no-block mask-patrol.service" in device.calls
    (device.stubs / "working").touch()
    assert device.run(script).returncode == 0
    assert_set_up(device)


def test_failing_step_does_not_stop_the_others(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    usermod = (device.stubs / "real/usermod").read_text()
    device.command("real/usermod", "#!/bin/sh\nexit 8\n")
    script = device.kit / "first-boot.sh"
    done = device.run(script)
    assert done.returncode == 1
    assert "these steps failed and are retried: set_user" in done.stdout
    assert "systemctl enable --quiet ssh.service" in device.calls
    assert "installed --no-start --offline" in device.calls
    assert "systemctl start --no-block mask-patrol.service" in device.calls
    device.command("real/usermod", usermod)
    assert device.run(script).returncode == 0  # systemd would restart the unit
    assert_set_up(device)
    assert device.calls.count("installed --no-start --offline") == 1


def test_failed_installation_is_retried(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    tar = (device.stubs / "tar").read_text()
    device.command("tar", "#!/bin/sh\necho 'no space left' >&2\nexit 2\n")
    script = device.kit / "first-boot.sh"
    assert device.run(script).returncode != 0
    assert (device.kit / "settings/password-hash").exists()
    assert "systemctl enable --quiet ssh.service" in device.calls
    device.command("tar", tar)
    assert device.run(script).returncode == 0
    assert_set_up(device)


def test_only_daemon_can_read_certificate_and_key(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    for name in ("client.pem", "client.key"):
        (device.kit / "etc/mask-patrol" / name).write_text("-----BEGIN")
    device.command("real/chown", '#!/bin/sh\necho "chown $*" >>"$STUBS/calls"\n')
    assert device.run(device.kit / "first-boot.sh").returncode == 0
    for name in ("client.pem", "client.key"):
        path = device.root / "etc/mask-patrol" / name
        assert path.stat().st_mode & 0o777 == 0o400  # the dashboard has the group of the daemon
        assert f"chown mask-patrol:mask-patrol {path}" in device.calls


def test_password_login_is_off_with_keys_only(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    (device.kit / "settings/password-hash").unlink()
    assert device.run(device.kit / "first-boot.sh").returncode == 0
    sshd_config = (device.root / "etc/ssh/sshd_config.d/01-mask-patrol.conf").read_text()
    assert sshd_config == "PasswordAuthentication no\n"
    assert (device.root / "etc/sudoers.d/020_mask-patrol").read_text().startswith("anna ")


def test_kit_without_bundle_and_url_is_refused(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    (device.kit / "bundle.tar").unlink()
    done = device.run(device.kit / "first-boot.sh")
    assert done.returncode == 78  # systemd does not restart the unit after this code
    assert "contains neither a bundle nor the URL of one" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "delays", "expected"),
    [
        ("{other}", ["30", "60", "120"], "its SHA-256 differs"),
        ("file:///absent", ["15", "15", "15"], "cannot download the bundle"),
        ("nonsense", ["15", "15", "15"], "cannot download the bundle"),
    ],
)
def test_wrong_download_is_retried_less_often(
    kit: Path, tmp_path: Path, url: str, delays: list[str], expected: str
) -> None:
    device = device_with(kit, tmp_path)
    (device.kit / "bundle.tar").rename(tmp_path / "other.tar")
    settings = device.kit / "settings"
    (settings / "bundle-url").write_text(url.format(other=f"file://{tmp_path}/other.tar"))
    (settings / "bundle-sha256").write_text("0" * 64)
    device.command(
        "sleep",
        '#!/bin/sh\necho "sleep $1" >>"$STUBS/calls"\n'
        '[ "$(grep -c sleep "$STUBS/calls")" -lt 3 ] || kill -9 0\n',
    )
    done = device.run(device.kit / "first-boot.sh")
    slept = [call.split()[1] for call in device.calls if call.startswith("sleep")]
    assert slept == delays
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_unit_runs_after_cloud_init_and_is_retried(tmp_path: Path) -> None:
    unit = (FIRST_BOOT / UNIT).read_text()
    after = [
        word for line in unit.splitlines() if line.startswith("After=") for word in line.split()
    ]
    # The third stage of cloud-init sets passwords and the time zone.
    assert "cloud-config.service" in after
    assert "Restart=on-failure" in unit
    assert "RestartPreventExitStatus=78" in unit
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / UNIT).write_text(unit)
    errors = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", tmp_path / UNIT],
        capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    assert UNIT not in errors, errors
