"""`make image` on a small image: everything where it belongs, and nothing half made."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from sdcard.cli import main
from sdcard.debian_packages import installed_packages, own_configuration, wanted_packages
from sdcard.disk_image.entries import File, Folder, Link
from sdcard.disk_image.ext4 import Ext4
from sdcard.disk_image.fat import Fat
from sdcard.disk_image.partition_table import read_layout
from sdcard.image import make_image
from sdcard.programs import find, run
from sdcard.site import load_site

from edge.common.errors import UserError
from tests.pi.disk import MEBI, copy_disk
from tests.support.card_images import KEY, ROOT_AT, STATUS, site_file, small_bundle, small_image


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_image(tmp_path_factory.mktemp("base"))


def mode_and_owner(root: Ext4, path: str) -> tuple[str, str]:
    said = subprocess.run(
        [find("debugfs"), "-R", f'stat "{path}"', f"{root.image}?offset={ROOT_AT}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return said.split("Mode:")[1].split()[0], said.split("User:")[1].split()[0]


def test_everything_is_where_it_belongs(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask-patrol.img"
    made = make_image(base, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    assert made.release == "trixie"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    layout = read_layout(out)
    root, boot = Ext4(out, layout.root.start_bytes), Fat(out, layout.boot)
    root.check()
    boot.check()
    root.require_clean()
    assert root.read("/etc/hostname") == b"door7\n"
    assert b"127.0.1.1\tdoor7\n" in (root.read("/etc/hosts") or b"")
    assert b"broker.lan" in (root.read("/etc/mask-patrol/mask-patrol.toml") or b"")
    assert mode_and_owner(root, "/etc/mask-patrol/credentials") == ("0700", "0")
    password = "/etc/mask-patrol/credentials/mqtt-password"
    assert root.read(password) == b"s3cret-broker"
    assert mode_and_owner(root, password) == ("0600", "0")
    wifi = "/etc/NetworkManager/system-connections/mask-patrol.nmconnection"
    assert b"psk=pass\\sword\\\\9" in (root.read(wifi) or b"")
    assert mode_and_owner(root, wifi) == ("0600", "0")
    state = root.read("/var/lib/NetworkManager/NetworkManager.state") or b""
    assert b"WirelessEnabled=true" in state
    kit = "/opt/mask-patrol/first-boot"
    assert mode_and_owner(root, kit) == ("0700", "0")
    assert root.read(f"{kit}/settings/authorized_keys") == f"{KEY}\n".encode()
    assert root.read(f"{kit}/settings/user") == b"anna\n"
    assert root.read(f"{kit}/bundle.tar") == (tmp_path / "bundle.tar").read_bytes()
    unit = "mask-patrol-first-boot.service"
    assert root.exists(f"/etc/systemd/system/multi-user.target.wants/{unit}")
    assert b"first-boot.sh" in (root.read(f"/etc/systemd/system/{unit}") or b"")
    line = (boot.read("cmdline.txt") or b"").decode()
    assert line.count("\n") == 1
    assert "root=PARTUUID=6d61736b-02" in line
    assert line.split()[-2:] == ["cgroup_enable=memory", "cfg80211.ieee80211_regdom=DE"]


def test_the_data_have_a_partition_before_the_root(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask-patrol.img"
    site = load_site(site_file(tmp_path, storage="{data_mib = 128, read_only = true}"))
    make_image(base, site, small_bundle(tmp_path), out)
    before, layout = read_layout(base), read_layout(out)
    assert layout.data is not None
    assert (layout.data.number, layout.data.start_bytes) == (3, before.root.start_bytes)
    assert layout.data.size_bytes == 128 * MEBI
    # The last on the card, so that it is grown to fill it, and the second by its name.
    assert (layout.root.number, layout.root.start_bytes) == (2, layout.data.end_bytes)
    assert layout.root.end_bytes == out.stat().st_size
    root, data = Ext4(out, layout.root.start_bytes), Ext4(out, layout.data.start_bytes)
    for part in (root, data, Fat(out, layout.boot)):
        part.check()
    said = run("dumpe2fs", "-h", f"{out}?offset={layout.data.start_bytes}").split("\n")
    assert "mask-patrol" in said[0]
    assert [line.split()[-1] for line in said if line.startswith("Block size")] == ["4096"]
    assert data.free_bytes() > 100 * MEBI
    for setting in ("data-partition", "read-only"):
        assert root.read(f"/opt/mask-patrol/first-boot/settings/{setting}") == b"yes\n"
    assert root.read("/etc/hostname") == b"door7\n"
    # The kernel and other programs read the table as we do.
    said = run("sfdisk", "--dump", out)
    assert said.count("type=83") == 2
    with pytest.raises(UserError, match="partition for data already"):
        make_image(out, site, small_bundle(tmp_path), tmp_path / "again.img")


def test_a_root_that_is_nearly_full_is_grown(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask-patrol.img"
    make_image(base, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    before, after = read_layout(base), read_layout(out)
    assert after.boot == before.boot
    assert after.disk_id == before.disk_id
    assert after.root.start_bytes == before.root.start_bytes
    assert after.root.size_bytes > before.root.size_bytes
    assert out.stat().st_size == after.root.end_bytes
    assert Ext4(out, after.root.start_bytes).free_bytes() > 600 << 20


def test_made_again_nothing_is_left_of_the_old_one(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask-patrol.img"
    out.write_bytes(b"old")
    make_image(base, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    assert read_layout(out)
    assert not list(tmp_path.glob(".mask-patrol-*"))


@pytest.mark.parametrize("packed", ["xz", "gz", "zip"])
def test_the_base_may_be_packed(base: Path, tmp_path: Path, packed: str) -> None:
    source = tmp_path / f"raspios.img.{packed}"
    if packed == "xz":
        source.write_bytes(lzma.compress(base.read_bytes(), preset=0))
    elif packed == "gz":
        source.write_bytes(gzip.compress(base.read_bytes(), 1))
    else:
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(base, "2026-raspios-lite.img")
            archive.writestr("readme.txt", "hello")
    out = tmp_path / "out.img"
    make_image(source, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    assert Ext4(out, ROOT_AT).read("/etc/hostname") == b"door7\n"


def refused(base: Path, tmp_path: Path, why: str) -> None:
    out = tmp_path / "out.img"
    with pytest.raises(UserError, match=why) as caught:
        make_image(base, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    assert ".mask-patrol-" not in str(caught.value)
    assert not out.exists()
    assert not list(tmp_path.glob(".mask-patrol-*"))


def test_a_packed_base_that_is_cut_off_is_refused(base: Path, tmp_path: Path) -> None:
    source = tmp_path / "raspios.img.xz"
    packed = lzma.compress(base.read_bytes(), preset=0)
    source.write_bytes(packed[: len(packed) // 2])
    refused(source, tmp_path, "damaged or cut off")


def test_an_image_that_was_not_shut_down_is_refused(base: Path, tmp_path: Path) -> None:
    used = copy_disk(base, tmp_path / "used.img")
    with used.open("r+b") as file:
        file.seek(ROOT_AT + 1024 + 96)
        features = struct.unpack("<I", file.read(4))[0]
        file.seek(-4, 1)
        file.write(struct.pack("<I", features | 0x4))  # needs_recovery
    refused(used, tmp_path, "not shut down cleanly")


def test_what_is_no_raspberry_pi_os_is_refused(base: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.img"
    nothing.write_bytes(b"\0" * 4096)
    refused(nothing, tmp_path, "no partition table")
    cut = copy_disk(base, tmp_path / "cut.img")
    with cut.open("r+b") as file:
        file.truncate(ROOT_AT + 4096)
    refused(cut, tmp_path, "cut off")
    refused(tmp_path / "absent.img", tmp_path, "there is no image")


def test_another_system_is_refused(tmp_path: Path) -> None:
    old = small_image(tmp_path, "bullseye")
    refused(old, tmp_path, "its system is bullseye")


def test_a_boot_partition_of_something_else_is_refused(base: Path, tmp_path: Path) -> None:
    other = copy_disk(base, tmp_path / "other.img")
    at = read_layout(other).boot.start_bytes
    subprocess.run([find("mdel"), "-i", f"{other}@@{at}", "::config.txt"], check=True)
    refused(other, tmp_path, "config.txt is missing")


def test_the_commands_tell_mistakes_in_a_line(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_file(tmp_path, hostname='"_"')
    bundle = small_bundle(tmp_path)
    command = ["image", "--base", str(base), "--bundle", str(bundle), "--out", str(tmp_path / "o")]
    assert main([*command, "--config", str(site)]) == 2
    assert "make image: " in capsys.readouterr().err
    bundle.write_bytes(b"nothing")
    assert main([*command, "--config", str(site_file(tmp_path))]) == 1
    said = capsys.readouterr().err
    assert "is no bundle" in said
    assert "Traceback" not in said


def test_files_are_written_through_links_and_over_others(base: Path, tmp_path: Path) -> None:
    disk = copy_disk(base, tmp_path / "disk.img")
    root = Ext4(disk, ROOT_AT)
    root.write([Link("/srv-link", "opt")])
    root.write([File("/srv-link/a b.txt", b"first")])
    root.write([File("/opt/a b.txt", b"second", mode=0o640, uid=1000), Folder("/opt/x", 0o711)])
    root.write([File(f"/opt/many/file-{n}", b"x") for n in range(300)])
    assert root.read("/opt/a b.txt") == b"second"
    assert root.read("/srv-link/a b.txt") == b"second"
    assert root.read("/opt/many/file-299") == b"x"
    assert root.read("/opt/absent") is None
    assert mode_and_owner(root, "/opt/a b.txt") == ("0640", "1000")
    root.check()


def test_a_file_system_that_is_full_is_told(base: Path, tmp_path: Path) -> None:
    disk = copy_disk(base, tmp_path / "disk.img")
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 4 * 40 * 1024)
    with pytest.raises(UserError, match="cannot put files in"):
        Ext4(disk, ROOT_AT).write([File("/opt/large", source=large)])


def test_packages_are_those_that_the_image_lacks() -> None:
    assert installed_packages(STATUS) == {"python3", "python3-picamera2"}
    assert wanted_packages("picamera2:1", ["nano"]) == ["python3-picamera2", "nano"]
    assert wanted_packages("/dev/video0", []) == []


def test_apt_does_not_read_this_machine_s_configuration(tmp_path: Path) -> None:
    if shutil.which("apt-config") is None:
        pytest.skip("there is no apt here")
    etc = tmp_path / "etc/apt"
    (etc / "apt.conf.d").mkdir(parents=True)
    (etc / "apt.conf.d/99host").write_text('APT::Host "its own";\n')
    (etc / "apt.conf").write_text('APT::Host "its own";\n')
    ours = own_configuration(tmp_path)
    for text, read in (("", True), (ours.read_text(), False)):
        ours.write_text(f'Dir "{tmp_path}";\n{text}')
        said = run("apt-config", "dump", environment={"APT_CONFIG": str(ours)})
        assert ("APT::Host" in said) is read
