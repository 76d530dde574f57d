"""What the kit does at the first boot, wherever the plug is pulled and whatever fails."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from sdcard.card_files import UNIT, etc_files, kit_files
from sdcard.site import load_site

from tests.support.boot_scripts import FIRST_BOOT, Device
from tests.support.card_images import site_file

HASH = "$6$salt$hash"
INSTALLER = b'echo "installed $*" >>"$STUBS/said"\n'

pytestmark = pytest.mark.skipif(shutil.which("dash") is None, reason="dash is not installed")


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit as it lies in the root file system, with the files for /etc in it."""
    folder = tmp_path_factory.mktemp("site")
    site = load_site(site_file(folder, user=f'{{name = "anna", password_hash = "{HASH}"}}'))
    made = folder / "kit"
    files = {
        **kit_files(site),
        **{path[1:]: content for path, (content, _) in etc_files(site).items()},
        "settings/authorized_keys": b"ssh-ed25519 AAAA\n",
    }
    for name, content in files.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with tarfile.open(made / "bundle.tar", "w") as archive:
        entry = tarfile.TarInfo("mask-patrol-1/install.sh")
        entry.size = len(INSTALLER)
        archive.addfile(entry, io.BytesIO(INSTALLER))
    return made


def device_with(kit: Path, folder: Path) -> Device:
    device = Device.make(folder)
    shutil.copytree(kit, device.kit)
    device.move_in(device.kit)
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
    said = (etc / "ssh/sshd_config.d/01-mask-patrol.conf").read_text()
    assert said == "PasswordAuthentication yes\n"
    password = etc / "mask-patrol/credentials/mqtt-password"
    assert password.read_text() == "s3cret-broker"
    assert password.stat().st_mode & 0o777 == 0o600
    assert "installed --no-start --offline" in device.said
    assert not (etc / "systemd/system" / UNIT).exists()
    assert not device.kit.exists()
    for folder in (device.root / "opt", device.boot):
        for path in folder.rglob("*"):
            if path.is_file():
                assert path.name in ("first-boot.sh", ".done")


@pytest.mark.parametrize("half", [False, True])
def test_a_cut_at_any_step_is_made_good_by_the_next_boot(
    kit: Path, tmp_path: Path, half: bool
) -> None:
    whole = device_with(kit, tmp_path / "whole")
    assert whole.run(whole.kit / "first-boot.sh").returncode == 0
    assert_set_up(whole)
    for cut in whole.cuts(half):
        device = device_with(kit, tmp_path / str(cut))
        script = device.kit / "first-boot.sh"
        done = device.run(script, cut=cut, half=half)
        assert done.returncode == -9, cut
        if script.exists():  # as the unit's condition asks
            done = device.run(script)
            assert done.returncode == 0, done.stderr
        assert_set_up(device)


def read_only_device(kit: Path, folder: Path) -> Device:
    """One whose root is to be read-only: an overlay, once its switch was turned and it has started
    again; below that the root is what it was."""
    device = device_with(kit, folder)
    for setting in ("data-partition", "read-only"):
        (device.kit / "settings" / setting).write_text("yes\n")
    switch = device.root / "usr/local/sbin/mask-patrol-read-only"
    switch.parent.mkdir(parents=True)
    switch.write_text('#!/bin/sh\necho "switch $*" >>"$STUBS/said"\n: >"$STUBS/on"\n')
    switch.chmod(0o755)
    device.command("findmnt", '#!/bin/sh\n[ -e "$STUBS/over" ] && echo overlay || echo ext4\n')
    device.command("mount", '#!/bin/sh\necho "mount $*" >>"$STUBS/said"\n')
    (device.root / "media").mkdir()
    (device.root / "media/root-ro").symlink_to(device.root)
    return device


def start_again(device: Device) -> None:
    """What the next start makes of the switch."""
    if (device.stubs / "on").exists():
        (device.stubs / "over").touch()


@pytest.mark.parametrize("half", [False, True])
def test_a_cut_at_any_step_still_makes_the_root_read_only(
    kit: Path, tmp_path: Path, half: bool
) -> None:
    whole = read_only_device(kit, tmp_path / "whole")
    assert whole.run(whole.kit / "first-boot.sh").returncode == 0
    assert_set_up(whole)
    assert whole.said.count("switch on") == 1
    assert whole.said[-1] == "systemctl reboot --no-block"
    # The partition is there before the daemon is.
    mounted = "systemctl enable --quiet --now mask-patrol-data.service"
    assert mounted in whole.said
    for cut in whole.cuts(half):
        device = read_only_device(kit, tmp_path / str(cut))
        script, unit = device.kit / "first-boot.sh", device.root / "etc/systemd/system" / UNIT
        assert device.run(script, cut=cut, half=half).returncode == -9, cut
        start_again(device)
        below = (device.stubs / "over").exists()
        if script.exists() and unit.exists():
            assert device.run(script).returncode == 0
            last = "start --no-block mask-patrol.service" if below else "reboot --no-block"
            assert device.said[-1] == f"systemctl {last}"
        assert device.said.count("switch on") == 1, cut
        assert not unit.exists()  # so that a later `off` holds
        assert not (device.kit / "settings").exists()


def test_a_root_that_cannot_be_read_only_yet_is_watched_from(kit: Path, tmp_path: Path) -> None:
    device = read_only_device(kit, tmp_path)
    switch = device.root / "usr/local/sbin/mask-patrol-read-only"
    good = switch.read_text()
    switch.write_text("#!/bin/sh\nexit 1\n")
    script = device.kit / "first-boot.sh"
    done = device.run(script)
    assert done.returncode == 1
    assert "the root stays writable" in done.stdout
    assert device.said[-1] == "systemctl start --no-block mask-patrol.service"
    assert not (device.kit / "settings").exists()  # there are passwords among them
    switch.write_text(good)
    assert device.run(script).returncode == 0
    assert device.said[-1] == "systemctl reboot --no-block"
    assert_set_up(device)


def test_a_partition_that_cannot_be_mounted_is_tried_again(kit: Path, tmp_path: Path) -> None:
    device = read_only_device(kit, tmp_path)
    device.command(
        "systemctl",
        '#!/bin/sh\necho "systemctl $*" >>"$STUBS/said"\n'
        'case "$*" in *mask-patrol-data*) [ -e "$STUBS/good" ] ;; esac\n',
    )
    script = device.kit / "first-boot.sh"
    done = device.run(script)
    assert done.returncode == 1
    assert "not everything is set up: set_data" in done.stdout
    assert "systemctl start --no-block mask-patrol.service" in device.said
    (device.stubs / "good").touch()
    assert device.run(script).returncode == 0
    assert_set_up(device)


def test_what_fails_keeps_neither_ssh_nor_the_installation(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    usermod = (device.stubs / "real/usermod").read_text()
    device.command("real/usermod", "#!/bin/sh\nexit 8\n")
    script = device.kit / "first-boot.sh"
    done = device.run(script)
    assert done.returncode == 1
    assert "not everything is set up: set_user" in done.stdout
    assert "systemctl enable --quiet ssh.service" in device.said
    assert "installed --no-start --offline" in device.said
    assert "systemctl start --no-block mask-patrol.service" in device.said
    device.command("real/usermod", usermod)
    assert device.run(script).returncode == 0  # as systemd starts it again
    assert_set_up(device)
    assert device.said.count("installed --no-start --offline") == 1


def test_an_installation_that_fails_is_tried_again_with_the_whole_kit(
    kit: Path, tmp_path: Path
) -> None:
    device = device_with(kit, tmp_path)
    tar = (device.stubs / "tar").read_text()
    device.command("tar", "#!/bin/sh\necho 'no space left' >&2\nexit 2\n")
    script = device.kit / "first-boot.sh"
    assert device.run(script).returncode != 0
    assert (device.kit / "settings/password-hash").exists()
    assert "systemctl enable --quiet ssh.service" in device.said
    device.command("tar", tar)
    assert device.run(script).returncode == 0
    assert_set_up(device)


def test_the_daemon_may_read_its_certificate_and_key(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    for name in ("client.pem", "client.key"):
        (device.kit / "etc/mask-patrol" / name).write_text("-----BEGIN")
    device.command("real/chown", '#!/bin/sh\necho "chown $*" >>"$STUBS/said"\n')
    assert device.run(device.kit / "first-boot.sh").returncode == 0
    for name in ("client.pem", "client.key"):
        path = device.root / "etc/mask-patrol" / name
        assert path.stat().st_mode & 0o777 == 0o640
        assert f"chown root:mask-patrol {path}" in device.said


def test_keys_alone_let_no_password_in(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    (device.kit / "settings/password-hash").unlink()
    assert device.run(device.kit / "first-boot.sh").returncode == 0
    said = (device.root / "etc/ssh/sshd_config.d/01-mask-patrol.conf").read_text()
    assert said == "PasswordAuthentication no\n"
    assert (device.root / "etc/sudoers.d/020_mask-patrol").read_text().startswith("anna ")


def test_without_a_bundle_and_an_address_it_ends_with_a_word(kit: Path, tmp_path: Path) -> None:
    device = device_with(kit, tmp_path)
    (device.kit / "bundle.tar").unlink()
    done = device.run(device.kit / "first-boot.sh")
    assert done.returncode == 78  # for which the unit is not started again
    assert "neither a bundle" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "delays", "why"),
    [
        ("{there}", ["30", "60", "120"], "its digest is another"),
        ("file:///absent", ["15", "15", "15"], "cannot get the bundle"),
        ("nonsense", ["15", "15", "15"], "cannot get the bundle"),
    ],
)
def test_what_is_wrong_is_fetched_ever_more_rarely(
    kit: Path, tmp_path: Path, url: str, delays: list[str], why: str
) -> None:
    device = device_with(kit, tmp_path)
    (device.kit / "bundle.tar").rename(tmp_path / "other.tar")
    settings = device.kit / "settings"
    (settings / "bundle-url").write_text(url.format(there=f"file://{tmp_path}/other.tar"))
    (settings / "bundle-sha256").write_text("0" * 64)
    device.command(
        "sleep",
        '#!/bin/sh\necho "sleep $1" >>"$STUBS/said"\n'
        '[ "$(grep -c sleep "$STUBS/said")" -lt 3 ] || kill -9 0\n',
    )
    done = device.run(device.kit / "first-boot.sh")
    slept = [words.split()[1] for words in device.said if words.startswith("sleep")]
    assert slept == delays
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_the_unit_comes_after_cloud_init_and_is_tried_again(tmp_path: Path) -> None:
    unit = (FIRST_BOOT / UNIT).read_text()
    after = [
        word for line in unit.splitlines() if line.startswith("After=") for word in line.split()
    ]
    # Its third stage still sets passwords and the time zone.
    assert "cloud-config.service" in after
    assert "Restart=on-failure" in unit
    assert "RestartPreventExitStatus=78" in unit
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    (tmp_path / UNIT).write_text(unit)
    said = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", tmp_path / UNIT],
        capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip
    assert UNIT not in said, said
