"""`make firstrun`: the files that it writes to the boot partition of a stock card."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from sdcard.card_files import FIRST_BOOT, MEMORY_ACCOUNTING
from sdcard.firstrun import HOOK, prepare, user_data
from sdcard.site import load_site

from edge.common.errors import UserError
from tests.support.systemd.card_images import site_file, small_bundle

COMMAND_LINE = "console=tty1 root=PARTUUID=1-02 rootfstype=ext4 rootwait quiet init=/x/firstboot\n"


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    folder = tmp_path / "bootfs"
    folder.mkdir()
    (folder / "cmdline.txt").write_text(COMMAND_LINE)
    return folder


def test_trixie_card_has_user_data_and_kit(boot: Path, tmp_path: Path) -> None:
    made = prepare(boot, "trixie", load_site(site_file(tmp_path)), small_bundle(tmp_path))
    assert made.carries_bundle
    text = (boot / "user-data").read_text()
    assert text.startswith("#cloud-config\n")
    settings = json.loads(text.partition("\n")[2])
    assert settings["hostname"] == "door7"
    assert settings["ssh_pwauth"] is False  # the site has a key but no password
    assert (boot / "meta-data").exists()
    assert (boot / "cmdline.txt").read_text() == f"{COMMAND_LINE.strip()} {MEMORY_ACCOUNTING}\n"
    assert (boot / "mask-patrol/bundle.tar").exists()
    assert (boot / "mask-patrol/etc/mask-patrol/credentials/mqtt-password").exists()


def test_trixie_starts_the_kit_at_every_boot(boot: Path, tmp_path: Path) -> None:
    prepare(boot, "trixie", load_site(site_file(tmp_path)), small_bundle(tmp_path))
    settings = json.loads(user_data(load_site(site_file(tmp_path))).partition("\n")[2])
    # After a power cut, `runcmd` would not run again: cloud-init marks it as done at its start.
    assert "runcmd" not in settings
    ((*shell, script),) = settings["bootcmd"]
    # The command mounts the boot partition, because it is not yet mounted at later boots.
    for name, line in (("systemctl", "mounted"), ("sh", "started")):
        (tmp_path / name).write_text(f"#!/bin/dash\necho {line} $* >>{tmp_path}/log\n")
        (tmp_path / name).chmod(0o755)
    command = ["/bin/sh", *shell[1:], script.replace("/boot/firmware/", f"{boot}/")]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(command, check=True, env=environment)
    shutil.rmtree(boot / "mask-patrol")
    subprocess.run(command, check=True, env=environment)
    assert (tmp_path / "log").read_text().splitlines() == [
        "mounted start boot-firmware.mount",
        f"started {boot}/mask-patrol/start.sh",
        "mounted start boot-firmware.mount",
    ]


def test_password_login_is_enabled_with_a_password(tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path, user='{name = "anna", password_hash = "$6$a$b"}'))
    assert json.loads(user_data(site).partition("\n")[2])["ssh_pwauth"] is True


def test_cloud_init_accepts_the_user_data(tmp_path: Path) -> None:
    if shutil.which("cloud-init") is None:
        pytest.skip("cloud-init is not installed; make pi-test boots with it")
    path = tmp_path / "user-data"
    path.write_text(user_data(load_site(site_file(tmp_path))))
    command = ["cloud-init", "schema", "--config-file", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_bookworm_card_has_script_and_one_hook(boot: Path, tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path))
    for _ in range(2):
        prepare(boot, "bookworm", site, small_bundle(tmp_path))
        assert (
            boot / "cmdline.txt"
        ).read_text() == f"{COMMAND_LINE.strip()} {MEMORY_ACCOUNTING} {HOOK}\n"
    assert (boot / "firstrun.sh").read_bytes() == (FIRST_BOOT / "firstrun.sh").read_bytes()
    assert not (boot / "user-data").exists()


def test_download_url_keeps_the_bundle_off_the_card(boot: Path, tmp_path: Path) -> None:
    path = site_file(
        tmp_path, download=f'{{url = "https://host/bundle.tar", sha256 = "{"0" * 64}"}}'
    )
    made = prepare(boot, "trixie", load_site(path), None)
    assert not made.carries_bundle
    assert not (boot / "mask-patrol/bundle.tar").exists()
    assert (boot / "mask-patrol/settings/bundle-url").read_text() == "https://host/bundle.tar"


def test_unusable_arguments_are_refused(boot: Path, tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path))
    with pytest.raises(UserError, match="there is no bundle"):
        prepare(boot, "trixie", site, None)
    with pytest.raises(UserError, match="is the card's boot partition"):
        prepare(tmp_path / "absent", "trixie", site, small_bundle(tmp_path))
    (boot / "cmdline.txt").write_bytes(COMMAND_LINE.encode("utf-16"))
    with pytest.raises(UserError, match=r"cmdline.txt: it is not UTF-8 text but UTF-16"):
        prepare(boot, "bookworm", site, small_bundle(tmp_path))
    (boot / "cmdline.txt").unlink()
    with pytest.raises(UserError, match=r"cmdline.txt: No such file"):
        prepare(boot, "bookworm", site, small_bundle(tmp_path))
    further = load_site(site_file(tmp_path, packages='["nano"]'))
    with pytest.raises(UserError, match="`packages` needs make image"):
        prepare(boot, "trixie", further, small_bundle(tmp_path))


def test_data_partition_needs_an_image(boot: Path, tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path, storage="{data_mib = 512}"))
    with pytest.raises(UserError, match=r"`storage\.data_mib` needs make image"):
        prepare(boot, "trixie", site, small_bundle(tmp_path))
    assert [path.name for path in boot.iterdir()] == ["cmdline.txt"]
