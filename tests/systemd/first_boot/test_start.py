"""A stock card's kit is moved into place whole, wherever the plug is pulled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sdcard.card_files import UNIT
from sdcard.firstrun import prepare
from sdcard.site import load_site

from tests.support.boot_scripts import Device
from tests.support.card_images import site_file, small_bundle

COMMAND_LINE = "console=tty1 root=PARTUUID=1-02 rootwait\n"

pytestmark = pytest.mark.skipif(shutil.which("dash") is None, reason="dash is not installed")


def stock_card(tmp_path: Path, release: str) -> Device:
    """A device with such a card; a second one of the same folder is copied."""
    prepared = tmp_path / f"prepared-{release}"
    if not prepared.exists():
        prepared.mkdir()
        (prepared / "cmdline.txt").write_text(COMMAND_LINE)
        prepare(prepared, release, load_site(site_file(tmp_path)), small_bundle(tmp_path))
    device = Device.make(tmp_path / f"device-{len(list(tmp_path.iterdir()))}")
    shutil.copytree(prepared, device.boot, dirs_exist_ok=True)
    device.move_in(device.boot)
    return device


def kit_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_in_place(device: Device, kit: dict[str, bytes]) -> None:
    assert kit_of(device.kit) == kit
    units = device.root / "etc/systemd/system"
    assert (units / UNIT).read_bytes() == kit[UNIT]
    assert (units / "multi-user.target.wants" / UNIT).is_symlink()
    assert not (device.boot / "mask-patrol").exists()


def clean_of_secrets(device: Device) -> bool:
    return not any(
        b"s3cret" in path.read_bytes() for path in device.boot.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("half", [False, True])
def test_a_cut_at_any_step_of_the_move_is_made_good_by_the_next_boot(
    tmp_path: Path, half: bool
) -> None:
    whole = stock_card(tmp_path, "trixie")
    kit = kit_of(whole.boot / "mask-patrol")
    assert whole.run(whole.boot / "mask-patrol/start.sh").returncode == 0
    assert_in_place(whole, kit)
    for cut in whole.cuts(half):
        device = stock_card(tmp_path, "trixie")
        kit = kit_of(device.boot / "mask-patrol")
        start = device.boot / "mask-patrol/start.sh"
        assert device.run(start, cut=cut, half=half).returncode == -9
        if start.exists():  # as `bootcmd` asks
            again = device.run(start)
            assert again.returncode == 0, again.stderr
            assert f"systemctl start --no-block {UNIT}" in device.said
            assert clean_of_secrets(device)
        assert_in_place(device, kit)


def test_a_source_that_is_not_whole_is_not_taken_for_a_kit(tmp_path: Path) -> None:
    device = stock_card(tmp_path, "trixie")
    (device.boot / "mask-patrol/.complete").unlink()
    ended = device.run(device.boot / "mask-patrol/start.sh")
    assert ended.returncode == 1
    assert "make firstrun" in ended.stderr
    assert not device.kit.exists()


def test_a_full_disk_is_left_as_it_was_and_tried_again(tmp_path: Path) -> None:
    device = stock_card(tmp_path, "trixie")
    kit = kit_of(device.boot / "mask-patrol")
    real = (device.stubs / "cp").read_text()
    device.command("cp", '#!/bin/sh\necho x >"$3/part"\necho full >&2\nexit 1\n')
    start = device.boot / "mask-patrol/start.sh"
    assert device.run(start).returncode == 1
    assert not list((device.root / "opt/mask-patrol").iterdir())
    device.command("cp", real)
    assert device.run(start).returncode == 0
    assert_in_place(device, kit)


@pytest.mark.parametrize("half", [False, True])
def test_bookworm_s_first_run_survives_a_cut_at_any_step(tmp_path: Path, half: bool) -> None:
    whole = stock_card(tmp_path, "bookworm")
    assert whole.run(whole.boot / "firstrun.sh").returncode == 0
    for cut in whole.cuts(half):
        device = stock_card(tmp_path, "bookworm")
        kit = kit_of(device.boot / "mask-patrol")
        script = device.boot / "firstrun.sh"
        # The inner script's steps are counted, too.
        assert device.run(script, cut=cut, half=half).returncode == -9
        if "systemd.run=" in (device.boot / "cmdline.txt").read_text():
            again = device.run(script)
            assert again.returncode == 0, again.stderr
        assert_in_place(device, kit)
        assert clean_of_secrets(device)
        words = (device.boot / "cmdline.txt").read_text().split()
        assert words == [*COMMAND_LINE.split(), "cgroup_enable=memory"]


def test_bookworm_tries_three_times_and_then_says_so(tmp_path: Path) -> None:
    device = stock_card(tmp_path, "bookworm")
    device.command("cp", "#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    script = device.boot / "firstrun.sh"
    for _ in range(2):
        assert device.run(script).returncode == 1
        assert "systemd.run=" in (device.boot / "cmdline.txt").read_text()
        assert script.exists()
        assert (device.boot / "mask-patrol").exists()
    assert device.run(script).returncode == 0
    assert "systemd." not in (device.boot / "cmdline.txt").read_text()
    assert "no space left" in (device.boot / "mask-patrol-failed.txt").read_text()
    assert clean_of_secrets(device)
    left = {path.name for path in device.boot.iterdir()}
    assert left == {"cmdline.txt", "mask-patrol-failed.txt"}
