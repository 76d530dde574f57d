"""`make flash`: which disks it refuses, and that a card holds what was written.

The kernel's view is imitated; the disk itself is a file.
"""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
from pathlib import Path

import pytest
from sdcard.cli import main
from sdcard.disks import System, find_disk, require_writable
from sdcard.flash import agree, ask_on_terminal, flash
from sdcard.progress import Progress

from edge.common.errors import UsageError, UserError
from tests.support.card_images import small_image

MEBI = 1 << 20
#: The head of a LUKS volume: its magic, version 1, and an identity.
LUKS = b"LUKS\xba\xbe\x00\x01".ljust(168, b"\0") + b"6d61736b-0000-4000-8000-000000000001\0\0\0\0"


class Kernel:
    """An imitation of /sys/block, /proc/mounts and a disk that is a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.system = System(folder / "sys", folder / "mounts", folder / "swaps")
        self.system.mounts.write_text("proc /proc proc rw 0 0\n")
        self.system.swaps.write_text("Filename Type Size Used Priority\n")

    def disk(
        self,
        name: str,
        size_mebi: int = 80,
        removable: bool = True,
        model: str = "Card Reader",
        parts: int = 1,
    ) -> Path:
        folder = self.system.sys / "block" / name
        for part in range(1, parts + 1):
            inner = folder / f"{name}{'p' if name[-1].isdigit() else ''}{part}"
            (inner / "holders").mkdir(parents=True)
            (inner / "partition").write_text(f"{part}\n")
        (folder / "holders").mkdir(parents=True)
        (folder / "slaves").mkdir()
        (folder / "device").mkdir()
        (folder / "size").write_text(f"{size_mebi * MEBI // 512}\n")
        (folder / "removable").write_text(f"{int(removable)}\n")
        (folder / "device/vendor").write_text("Generic\n")
        (folder / "device/model").write_text(f"{model}\n")
        path = self.folder / name
        with path.open("wb") as file:
            file.truncate(size_mebi * MEBI)
        return path

    def mount(self, device: str, where: str) -> None:
        with self.system.mounts.open("a") as file:
            file.write(f"{device} {where} ext4 rw 0 0\n")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_image(tmp_path_factory.mktemp("image"))


def refused(kernel: Kernel, path: Path, image: Path, why: str) -> None:
    """Nobody is asked, and nothing is written."""

    def ask(what: str, word: str) -> bool:
        raise AssertionError(what, word)

    with pytest.raises(UserError, match=why):
        flash(image, path, ask, kernel.system)
    if path.is_file():
        assert path.read_bytes().count(0) == path.stat().st_size


def test_a_card_holds_what_was_written(
    kernel: Kernel, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = kernel.disk("sdx")
    asked = []
    flash(image, card, lambda what, word: asked.append((what, word)) is None, kernel.system)
    with card.open("rb") as file:
        assert file.read(image.stat().st_size) == image.read_bytes()
    ((question, word),) = asked
    assert word == "yes"
    assert "Generic Card Reader" in question
    assert "0.1 GB" in question
    assert "verified" in capsys.readouterr().err


def test_a_real_block_device_holds_what_was_written(
    kernel: Kernel, image: Path, tmp_path: Path
) -> None:
    behind = tmp_path / "behind"
    with behind.open("wb") as file:
        file.truncate(80 * MEBI)
    try:
        said = subprocess.run(
            ["losetup", "--find", "--show", behind], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no loop device can be had here")
    device = Path(said.stdout.strip())
    try:
        kernel.disk(device.name)
        flash(image, device, lambda what, word: True, kernel.system)
        # Somebody else holds it: the kernel refuses, and nothing is written.
        holder = os.open(device, os.O_RDONLY | os.O_EXCL)
        with pytest.raises(UserError, match="Device or resource busy"):
            flash(image, device, lambda what, word: True, kernel.system)
        os.close(holder)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
    assert behind.read_bytes()[: image.stat().st_size] == image.read_bytes()


def test_nothing_is_written_when_nobody_agrees(kernel: Kernel, image: Path) -> None:
    card = kernel.disk("sdx")
    with pytest.raises(UserError, match="nothing was written"):
        flash(image, card, lambda what, word: False, kernel.system)
    assert card.read_bytes().count(0) == card.stat().st_size


def test_a_mounted_disk_is_refused(kernel: Kernel, image: Path) -> None:
    card = kernel.disk("sdx")
    kernel.mount("/dev/sdx1", "/media/me/bootfs\\040x")
    refused(kernel, card, image, "mounted at /media/me/bootfs x: unmount it first")


def test_the_system_s_disk_is_refused(kernel: Kernel, image: Path) -> None:
    disk = kernel.disk("sda", parts=2)
    kernel.mount("/dev/sda2", "/")
    refused(kernel, disk, image, "holds the running system")


def test_the_disk_below_an_encrypted_root_is_refused(kernel: Kernel, image: Path) -> None:
    disk = kernel.disk("sda")
    mapping = kernel.system.sys / "block/dm-0"
    (mapping / "slaves/sda1").mkdir(parents=True)
    kernel.mount("/dev/dm-0", "/")
    refused(kernel, disk, image, "holds the running system")


@pytest.mark.parametrize("inner", ["", "sdx1"])
def test_a_disk_that_something_is_built_on_is_refused(
    kernel: Kernel, image: Path, inner: str
) -> None:
    card = kernel.disk("sdx")
    (kernel.system.sys / "block/sdx" / inner / "holders/md0").mkdir()
    refused(kernel, card, image, "in use by /dev/md0")


def test_a_disk_that_is_swapped_to_is_refused(kernel: Kernel, image: Path) -> None:
    card = kernel.disk("sdx")
    with kernel.system.swaps.open("a") as file:
        file.write("/dev/sdx1 partition 1 0 -2\n")
    refused(kernel, card, image, "in use by swap")


def test_a_disk_that_is_not_removable_is_refused(kernel: Kernel, image: Path) -> None:
    refused(kernel, kernel.disk("sdb", removable=False), image, "not removable")


@pytest.mark.parametrize(("kind", "taken"), [("SD", True), ("MMC", False)])
def test_a_card_in_the_board_s_own_reader_is_one_and_an_emmc_is_none(
    kernel: Kernel, kind: str, taken: bool
) -> None:
    path = kernel.disk("mmcblk0", removable=False)
    (kernel.system.sys / "block/mmcblk0/device/type").write_text(f"{kind}\n")
    assert find_disk(path, kernel.system).removable is taken


def test_a_partition_is_refused(kernel: Kernel, image: Path) -> None:
    kernel.disk("sdx")
    part = kernel.folder / "sdx1"
    part.touch()
    with pytest.raises(UsageError, match="is a partition of /dev/sdx"):
        flash(image, part, lambda what, word: True, kernel.system)


def test_what_is_no_disk_is_refused(kernel: Kernel, image: Path) -> None:
    with pytest.raises(UsageError, match="no whole disk"):
        find_disk(image, kernel.system)
    with pytest.raises(UsageError, match="No such file"):
        find_disk(kernel.folder / "absent", kernel.system)
    with pytest.raises(UsageError, match="is no disk"):
        find_disk(image)


def test_a_card_that_is_too_small_or_not_there_is_refused(kernel: Kernel, image: Path) -> None:
    refused(kernel, kernel.disk("sdx", size_mebi=50), image, "too small: it has 0.1 GB")
    refused(kernel, kernel.disk("sdy", size_mebi=0), image, "holds no card")


def test_a_card_that_lies_is_found_out(
    kernel: Kernel, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = kernel.disk("sdx")
    forget = os.posix_fadvise

    def spoil(descriptor: int, *rest: int) -> None:
        forget(descriptor, *rest)
        with card.open("r+b") as file:
            file.seek(50 * MEBI)
            file.write(b"?")

    monkeypatch.setattr(os, "posix_fadvise", spoil)
    with pytest.raises(UserError, match="does not hold what was written"):
        flash(image, card, lambda what, word: True, kernel.system)


def test_what_is_no_image_is_not_written(kernel: Kernel, tmp_path: Path) -> None:
    card = kernel.disk("sdx")
    film = tmp_path / "film.mp4"
    film.write_bytes(b"no image" * 1000)
    refused(kernel, card, film, "no image of Raspberry Pi OS")
    refused(kernel, card, tmp_path / "absent.img", "make image makes one")


def word_for(kernel: Kernel, card: Path, image: Path) -> tuple[str, str]:
    """What is asked, and the word that is asked for; nobody says it."""
    asked = []
    with pytest.raises(UserError, match="nothing was written"):
        flash(image, card, lambda *words: asked.append(words) is not None, kernel.system)
    ((what, word),) = asked
    return what, word


def test_for_a_disk_that_is_hardly_a_card_its_model_is_to_be_typed(
    kernel: Kernel, image: Path
) -> None:
    large = kernel.disk("sdx", model="Backup 8000")
    (kernel.system.sys / "block/sdx/size").write_text(f"{8 * 10**12 // 512}\n")
    what, word = word_for(kernel, large, image)
    assert word == "Generic Backup 8000"
    assert "larger than SD cards" in what

    kernel.disk("sdy", removable=False)
    there = kernel.system.sys / "devices/usb1/sdy"
    there.parent.mkdir(parents=True)
    block = kernel.system.sys / "block/sdy"
    block.rename(there)
    block.symlink_to(there)
    what, word = word_for(kernel, kernel.folder / "sdy", image)
    assert word == "Generic Card Reader"
    assert "a disk on USB" in what


@pytest.mark.parametrize("name", ["sdx", "sdx1"])
def test_what_is_part_of_something_larger_is_not_lost_by_a_yes(
    kernel: Kernel, image: Path, name: str
) -> None:
    card = kernel.disk("sdx")
    with (kernel.folder / name).open("r+b" if name == "sdx" else "wb") as file:
        file.write(LUKS)
        file.truncate(80 * MEBI)
    what, word = word_for(kernel, card, image)
    assert word == "Generic Card Reader"
    assert f"{name} holds an encrypted volume" in what


def test_a_card_that_is_changed_while_it_is_asked_is_not_written(
    kernel: Kernel, image: Path
) -> None:
    card = kernel.disk("sdx")

    def other(what: str, word: str) -> bool:
        (kernel.system.sys / "block/sdx/device/model").write_text("Another\n")
        return True

    with pytest.raises(UserError, match="is another disk now; nothing was written"):
        flash(image, card, other, kernel.system)

    def mounted(what: str, word: str) -> bool:
        kernel.mount("/dev/sdx1", "/media/me/x")
        return True

    with pytest.raises(UserError, match="is mounted at /media/me/x"):
        flash(image, card, mounted, kernel.system)
    assert card.read_bytes().count(0) == card.stat().st_size


def test_nobody_gets_at_the_card_before_it_is_verified(
    kernel: Kernel, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = kernel.disk("sdx")
    seen = []
    opened = os.open

    def watched(path: Path, flags: int, *rest: int) -> int:
        if path == card:
            seen.append(flags)
        return opened(path, flags, *rest)

    def others(descriptor: int, *rest: int) -> None:
        """Between writing and reading: what udev does before it looks at a disk."""
        with card.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        seen.append(-1)

    monkeypatch.setattr(os, "open", watched)
    monkeypatch.setattr(os, "posix_fadvise", others)
    flash(image, card, lambda what, word: True, kernel.system)
    assert seen == [os.O_RDWR, -1]


def test_a_card_that_another_program_has_locked_is_left_alone(
    kernel: Kernel, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = kernel.disk("sdx")
    monkeypatch.setattr("sdcard.flash.LOCK_S", 0.0)
    with card.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(UserError, match="another program has locked"):
            flash(image, card, lambda what, word: True, kernel.system)
    assert card.read_bytes().count(0) == card.stat().st_size


def test_only_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for answer, meant in (("yes\n", True), ("YES\n", True), ("y\n", False), ("\n", False)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert ask_on_terminal("sure?", "yes") is meant
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert ask_on_terminal("sure?", "yes") is False
    assert agree("sure?", "yes") is True  # --yes
    assert agree("sure?", "Generic Disk") is False
    for answer, meant in (("yes\n", False), ("generic disk\n", True)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert agree("sure?", "Generic Disk") is meant


def test_the_command_says_what_is_wrong(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flash", "--image", str(image), "--device", "/dev/null"]) == 2
    assert capsys.readouterr().err.startswith("make flash: /dev/null is no disk")


def test_a_disk_fits_when_it_is_as_large_as_the_image(kernel: Kernel) -> None:
    disk = find_disk(kernel.disk("sdx", size_mebi=100), kernel.system)
    require_writable(disk, 100 * MEBI, kernel.system)


def test_progress_is_a_line_on_a_terminal_and_tenths_elsewhere() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, log = Terminal(), io.StringIO()
    for out in (terminal, log):
        with Progress("Writing", 1000, out, iter(range(1, 10_000)).__next__) as progress:
            for done in range(0, 1001, 10):
                progress.at(done)
    assert terminal.getvalue().count("\n") == 1
    assert "100%" in terminal.getvalue()
    assert log.getvalue().splitlines() == [f"Writing {10 * n}%" for n in range(1, 11)]
