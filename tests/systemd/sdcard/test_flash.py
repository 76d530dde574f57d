"""`make flash`: confirmation, writing, and verification.

The kernel's files are imitated; the disk is a regular file, in one test a loop device.
"""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
from pathlib import Path

import pytest
from sdcard.cli import main
from sdcard.flash import confirm_in_advance, confirm_on_terminal, flash

from edge.common.errors import UserError
from tests.support.systemd.card_images import small_image
from tests.support.systemd.fake_disks import MEBI, FakeKernel, is_empty


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_image(tmp_path_factory.mktemp("image"))


def agree(description: str, word: str) -> bool:
    return True


def confirmation(kernel: FakeKernel, card: Path, image: Path) -> tuple[str, str]:
    """Answer the question with no; return the description of the disk and the requested word."""
    asked = []
    with pytest.raises(UserError, match="nothing was written"):
        flash(image, card, lambda *words: asked.append(words) is not None, kernel.paths)
    assert is_empty(card)
    ((description, word),) = asked
    return description, word


@pytest.mark.slow
def test_card_holds_what_was_written(
    kernel: FakeKernel, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = kernel.add_disk("sdx")
    flash(image, card, agree, kernel.paths)
    with card.open("rb") as file:
        assert file.read(image.stat().st_size) == image.read_bytes()
    assert "verified" in capsys.readouterr().err


def test_confirmation_describes_the_disk(kernel: FakeKernel, image: Path) -> None:
    description, word = confirmation(kernel, kernel.add_disk("sdx"), image)
    assert word == "yes"
    assert "Generic Card Reader" in description
    assert "0.1 GB" in description


@pytest.mark.slow
def test_block_device_is_written_exclusively(
    kernel: FakeKernel, image: Path, tmp_path: Path
) -> None:
    backing = tmp_path / "backing"
    with backing.open("wb") as file:
        file.truncate(80 * MEBI)
    try:
        output = subprocess.run(
            ["losetup", "--find", "--show", backing], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine has no free loop device")
    device = Path(output.stdout.strip())
    try:
        kernel.add_disk(device.name)
        flash(image, device, agree, kernel.paths)
        # While another process has opened the disk exclusively, the kernel refuses to open it.
        holder = os.open(device, os.O_RDONLY | os.O_EXCL)
        with pytest.raises(UserError, match="Device or resource busy"):
            flash(image, device, agree, kernel.paths)
        os.close(holder)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
    assert backing.read_bytes()[: image.stat().st_size] == image.read_bytes()


def test_unsuitable_disk_is_not_offered(kernel: FakeKernel, image: Path) -> None:
    disk = kernel.add_disk("sdb", removable=False)

    def fail(description: str, word: str) -> bool:
        raise AssertionError(description, word)

    with pytest.raises(UserError, match="not removable"):
        flash(image, disk, fail, kernel.paths)
    assert is_empty(disk)


def test_file_that_is_no_image_is_refused(kernel: FakeKernel, tmp_path: Path) -> None:
    card = kernel.add_disk("sdx")
    film = tmp_path / "film.mp4"
    film.write_bytes(b"no image" * 1000)
    with pytest.raises(UserError, match="not an image of Raspberry Pi OS"):
        flash(film, card, agree, kernel.paths)
    with pytest.raises(UserError, match="make image makes one"):
        flash(tmp_path / "absent.img", card, agree, kernel.paths)
    assert is_empty(card)


def test_corrupting_card_is_detected(
    kernel: FakeKernel, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = kernel.add_disk("sdx")
    drop_cache = os.posix_fadvise

    def corrupt(descriptor: int, *rest: int) -> None:
        drop_cache(descriptor, *rest)
        with card.open("r+b") as file:
            file.seek(50 * MEBI)
            file.write(b"?")

    monkeypatch.setattr(os, "posix_fadvise", corrupt)
    with pytest.raises(UserError, match="does not hold what was written"):
        flash(image, card, agree, kernel.paths)


def test_disk_with_warning_needs_its_model_typed(kernel: FakeKernel, image: Path) -> None:
    card = kernel.add_disk("sdy", removable=False, model="Backup 8000")
    kernel.move_to_usb("sdy")
    description, word = confirmation(kernel, card, image)
    assert word == "Generic Backup 8000"
    assert "a disk on USB" in description


def test_card_changed_during_confirmation_is_not_written(kernel: FakeKernel, image: Path) -> None:
    card = kernel.add_disk("sdx")

    def change(description: str, word: str) -> bool:
        (kernel.block("sdx") / "device/model").write_text("Another\n")
        return True

    with pytest.raises(UserError, match="is a different disk now; nothing was written"):
        flash(image, card, change, kernel.paths)

    def mount(description: str, word: str) -> bool:
        kernel.mount("/dev/sdx1", "/media/me/x")
        return True

    with pytest.raises(UserError, match="is mounted at /media/me/x"):
        flash(image, card, mount, kernel.paths)
    assert is_empty(card)


def test_card_is_locked_until_verified(
    kernel: FakeKernel, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = kernel.add_disk("sdx")
    steps: list[str | int] = []
    real_open = os.open

    def open_card(path: Path, flags: int, *rest: int) -> int:
        if path == card:
            steps.append(flags)
        return real_open(path, flags, *rest)

    def try_lock(descriptor: int, *rest: int) -> None:
        """Try to lock the disk, as udev does before it examines a disk."""
        with card.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        steps.append("locked")

    monkeypatch.setattr(os, "open", open_card)
    monkeypatch.setattr(os, "posix_fadvise", try_lock)
    flash(image, card, agree, kernel.paths)
    assert steps == [os.O_RDWR, "locked"]


def test_card_locked_by_another_program_is_refused(
    kernel: FakeKernel, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = kernel.add_disk("sdx")
    monkeypatch.setattr("sdcard.flash.LOCK_TIMEOUT_S", 0.0)
    with card.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(UserError, match="another program has locked"):
            flash(image, card, agree, kernel.paths)
    assert is_empty(card)


@pytest.mark.parametrize(
    ("word", "typed", "expected"),
    [
        ("yes", "yes\n", True),
        ("yes", "YES\n", True),
        ("yes", "y\n", False),
        ("yes", "\n", False),
        ("Generic Disk", "yes\n", False),
        ("Generic Disk", "generic disk\n", True),
    ],
)
def test_only_the_whole_word_confirms(
    monkeypatch: pytest.MonkeyPatch, word: str, typed: str, expected: bool
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert confirm_on_terminal("sure?", word) is expected


def test_without_terminal_nothing_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert confirm_on_terminal("sure?", "yes") is False
    assert "--yes confirms in advance" in capsys.readouterr().err


def test_yes_option_does_not_confirm_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert confirm_in_advance("sure?", "yes") is True
    assert confirm_in_advance("sure?", "Generic Disk") is False
    monkeypatch.setattr("sys.stdin", Terminal("generic disk\n"))
    assert confirm_in_advance("sure?", "Generic Disk") is True


def test_command_reports_wrong_device(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flash", "--image", str(image), "--device", "/dev/null"]) == 2
    assert capsys.readouterr().err.startswith("make flash: /dev/null is not a disk")
