"""The scripts of a stock card move the complete kit to the root, despite power cuts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sdcard.card_files import UNIT
from sdcard.firstrun import prepare
from sdcard.site import load_site

from tests.support.systemd.boot_scripts import Device
from tests.support.systemd.card_images import site_file, small_bundle

COMMAND_LINE = "console=tty1 root=PARTUUID=1-02 rootwait\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("dash") is None, reason="dash is not installed"),
]


def stock_card(tmp_path: Path, release: str) -> Device:
    """Return a device with a card that `make firstrun` prepared."""
    prepared = tmp_path / f"prepared-{release}"
    if not prepared.exists():
        prepared.mkdir()
        (prepared / "cmdline.txt").write_text(COMMAND_LINE)
        prepare(prepared, release, load_site(site_file(tmp_path)), small_bundle(tmp_path))
    device = Device.make(tmp_path / f"device-{len(list(tmp_path.iterdir()))}")
    shutil.copytree(prepared, device.boot, dirs_exist_ok=True)
    device.redirect(device.boot)
    return device


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the content of each file by its path in the folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_moved(device: Device, kit: dict[str, bytes]) -> None:
    assert files_in(device.kit) == kit
    units = device.root / "etc/systemd/system"
    assert (units / UNIT).read_bytes() == kit[UNIT]
    assert (units / "multi-user.target.wants" / UNIT).is_symlink()
    assert not (device.boot / "mask-patrol").exists()


def boot_has_no_secret(device: Device) -> bool:
    return not any(
        b"s3cret" in path.read_bytes() for path in device.boot.rglob("*") if path.is_file()
    )


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_next_boot_completes_an_interrupted_move(tmp_path: Path, half: bool) -> None:
    complete = stock_card(tmp_path, "trixie")
    kit = files_in(complete.boot / "mask-patrol")
    assert complete.run(complete.boot / "mask-patrol/start.sh").returncode == 0
    assert_moved(complete, kit)
    for cut in complete.cut_points(half):
        device = stock_card(tmp_path, "trixie")
        kit = files_in(device.boot / "mask-patrol")
        start = device.boot / "mask-patrol/start.sh"
        assert device.run(start, cut=cut, half=half).returncode == -9
        if start.exists():  # `bootcmd` runs the script only if the script exists
            again = device.run(start)
            assert again.returncode == 0, again.stderr
            assert f"systemctl start --no-block {UNIT}" in device.calls
            assert boot_has_no_secret(device)
        assert_moved(device, kit)


def test_incomplete_kit_is_refused(tmp_path: Path) -> None:
    device = stock_card(tmp_path, "trixie")
    (device.boot / "mask-patrol/.complete").unlink()
    ended = device.run(device.boot / "mask-patrol/start.sh")
    assert ended.returncode == 1
    assert "make firstrun" in ended.stderr
    assert not device.kit.exists()


def test_full_disk_is_cleaned_up_and_retried(tmp_path: Path) -> None:
    device = stock_card(tmp_path, "trixie")
    kit = files_in(device.boot / "mask-patrol")
    real = (device.stubs / "cp").read_text()
    device.command("cp", '#!/bin/sh\necho x >"$3/part"\necho full >&2\nexit 1\n')
    start = device.boot / "mask-patrol/start.sh"
    assert device.run(start).returncode == 1
    assert not list((device.root / "opt/mask-patrol").iterdir())
    device.command("cp", real)
    assert device.run(start).returncode == 0
    assert_moved(device, kit)


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_bookworm_completes_an_interrupted_move(tmp_path: Path, half: bool) -> None:
    complete = stock_card(tmp_path, "bookworm")
    assert complete.run(complete.boot / "firstrun.sh").returncode == 0
    for cut in complete.cut_points(half):
        device = stock_card(tmp_path, "bookworm")
        kit = files_in(device.boot / "mask-patrol")
        script = device.boot / "firstrun.sh"
        # The cut points include those of start.sh, which firstrun.sh calls.
        assert device.run(script, cut=cut, half=half).returncode == -9
        if "systemd.run=" in (device.boot / "cmdline.txt").read_text():
            again = device.run(script)
            assert again.returncode == 0, again.stderr
        assert_moved(device, kit)
        assert boot_has_no_secret(device)
        parameters = (device.boot / "cmdline.txt").read_text().split()
        assert parameters == [*COMMAND_LINE.split(), "cgroup_enable=memory"]


def test_bookworm_gives_up_after_three_failures(tmp_path: Path) -> None:
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
    assert boot_has_no_secret(device)
    left = {path.name for path in device.boot.iterdir()}
    assert left == {"cmdline.txt", "mask-patrol-failed.txt"}
