"""`make image` with a small base image: what it writes, and which images it refuses."""

from __future__ import annotations

import gzip
import lzma
import stat
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from sdcard.cli import main
from sdcard.disk_image.ext4 import Ext4
from sdcard.disk_image.fat import Fat
from sdcard.disk_image.partition_table import read_layout
from sdcard.image import make_image
from sdcard.programs import find, run
from sdcard.site import load_site

from edge.common.errors import UserError
from tests.pi.disk import MEBI, copy_disk
from tests.support.systemd.card_images import (
    KEY,
    ROOT_AT,
    mode_and_owner,
    site_file,
    small_bundle,
    small_image,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_image(tmp_path_factory.mktemp("base"))


def test_image_has_all_files_with_modes(base: Path, tmp_path: Path) -> None:
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


def test_data_partition_lies_before_the_root(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask-patrol.img"
    site = load_site(site_file(tmp_path, storage="{data_mib = 128, read_only = true}"))
    make_image(base, site, small_bundle(tmp_path), out)
    before, layout = read_layout(base), read_layout(out)
    assert layout.data is not None
    assert (layout.data.number, layout.data.start_bytes) == (3, before.root.start_bytes)
    assert layout.data.size_bytes == 128 * MEBI
    # The root is last on the card, so that it can grow, and still partition 2.
    assert (layout.root.number, layout.root.start_bytes) == (2, layout.data.end_bytes)
    assert layout.root.end_bytes == out.stat().st_size
    root, data = Ext4(out, layout.root.start_bytes), Ext4(out, layout.data.start_bytes)
    for part in (root, data, Fat(out, layout.boot)):
        part.check()
    output = run("dumpe2fs", "-h", f"{out}?offset={layout.data.start_bytes}").split("\n")
    assert "mask-patrol" in output[0]
    assert [line.split()[-1] for line in output if line.startswith("Block size")] == ["4096"]
    assert data.free_bytes() > 100 * MEBI
    for setting in ("data-partition", "read-only"):
        assert root.read(f"/opt/mask-patrol/first-boot/settings/{setting}") == b"yes\n"
    assert root.read("/etc/hostname") == b"door7\n"
    # sfdisk reads the same table.
    output = run("sfdisk", "--dump", out)
    assert output.count("type=83") == 2
    with pytest.raises(UserError, match="has a data partition already"):
        make_image(out, site, small_bundle(tmp_path), tmp_path / "again.img")


def test_nearly_full_root_is_grown(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask-patrol.img"
    make_image(base, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    before, after = read_layout(base), read_layout(out)
    assert after.boot == before.boot
    assert after.disk_id == before.disk_id
    assert after.root.start_bytes == before.root.start_bytes
    assert after.root.size_bytes > before.root.size_bytes
    assert out.stat().st_size == after.root.end_bytes
    assert Ext4(out, after.root.start_bytes).free_bytes() > 600 << 20


def test_existing_output_is_replaced(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "mask-patrol.img"
    out.write_bytes(b"old")
    make_image(base, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    assert read_layout(out)
    assert not list(tmp_path.glob(".mask-patrol-*"))


@pytest.mark.parametrize("kind", ["xz", "gz", "zip"])
def test_base_may_be_compressed(base: Path, tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"raspios.img.{kind}"
    if kind == "xz":
        source.write_bytes(lzma.compress(base.read_bytes(), preset=0))
    elif kind == "gz":
        source.write_bytes(gzip.compress(base.read_bytes(), 1))
    else:
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(base, "2026-raspios-lite.img")
            archive.writestr("readme.txt", "hello")
    out = tmp_path / "out.img"
    make_image(source, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    assert Ext4(out, ROOT_AT).read("/etc/hostname") == b"door7\n"


def assert_refused(base: Path, tmp_path: Path, expected: str) -> None:
    out = tmp_path / "out.img"
    with pytest.raises(UserError, match=expected) as caught:
        make_image(base, load_site(site_file(tmp_path)), small_bundle(tmp_path), out)
    assert ".mask-patrol-" not in str(caught.value)
    assert not out.exists()
    assert not list(tmp_path.glob(".mask-patrol-*"))


def test_truncated_archive_is_refused(base: Path, tmp_path: Path) -> None:
    source = tmp_path / "raspios.img.xz"
    packed = lzma.compress(base.read_bytes(), preset=0)
    source.write_bytes(packed[: len(packed) // 2])
    assert_refused(source, tmp_path, "damaged or incomplete")


def test_image_with_unclean_root_is_refused(base: Path, tmp_path: Path) -> None:
    used = copy_disk(base, tmp_path / "used.img")
    with used.open("r+b") as file:
        file.seek(ROOT_AT + 1024 + 96)
        features = struct.unpack("<I", file.read(4))[0]
        file.seek(-4, 1)
        file.write(struct.pack("<I", features | 0x4))  # needs_recovery
    assert_refused(used, tmp_path, "not shut down cleanly")


def test_file_that_is_no_image_is_refused(base: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.img"
    nothing.write_bytes(b"\0" * 4096)
    assert_refused(nothing, tmp_path, "no partition table")
    cut = copy_disk(base, tmp_path / "cut.img")
    with cut.open("r+b") as file:
        file.truncate(ROOT_AT + 4096)
    assert_refused(cut, tmp_path, "is incomplete")
    assert_refused(tmp_path / "absent.img", tmp_path, "there is no image")


def test_image_of_another_release_is_refused(tmp_path: Path) -> None:
    old = small_image(tmp_path, "bullseye")
    assert_refused(old, tmp_path, "contains bullseye")


def test_other_boot_partition_is_refused(base: Path, tmp_path: Path) -> None:
    other = copy_disk(base, tmp_path / "other.img")
    at = read_layout(other).boot.start_bytes
    subprocess.run([find("mdel"), "-i", f"{other}@@{at}", "::config.txt"], check=True)
    assert_refused(other, tmp_path, "config.txt is missing")


def test_command_reports_errors_in_a_line(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_file(tmp_path, hostname='"_"')
    bundle = small_bundle(tmp_path)
    command = ["image", "--base", str(base), "--bundle", str(bundle), "--out", str(tmp_path / "o")]
    assert main([*command, "--config", str(site)]) == 2
    assert "make image: " in capsys.readouterr().err
    bundle.write_bytes(b"nothing")
    assert main([*command, "--config", str(site_file(tmp_path))]) == 1
    output = capsys.readouterr().err
    assert "is not a bundle" in output
    assert "Traceback" not in output
