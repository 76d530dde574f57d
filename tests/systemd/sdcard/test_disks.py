"""Which disks are found, and which may be overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdcard.disks import device_files, find_disk, require_writable

from edge.common.errors import UsageError, UserError
from tests.support.systemd.fake_disks import MEBI, FakeKernel


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def refusal(kernel: FakeKernel, path: Path, image_mebi: int = 40) -> str:
    """Return why an image must not be written to the disk."""
    with pytest.raises(UserError) as error:
        require_writable(find_disk(path, kernel.paths), image_mebi * MEBI, kernel.paths)
    return str(error.value)


def test_mounted_disk_is_refused(kernel: FakeKernel) -> None:
    card = kernel.add_disk("sdx")
    kernel.mount("/dev/sdx1", "/media/me/bootfs\\040x")
    assert "mounted at /media/me/bootfs x: unmount it first" in refusal(kernel, card)


def test_disk_of_running_system_is_refused(kernel: FakeKernel) -> None:
    disk = kernel.add_disk("sda", parts=2)
    kernel.mount("/dev/sda2", "/")
    assert "holds the running system" in refusal(kernel, disk)


def test_disk_below_encrypted_root_is_refused(kernel: FakeKernel) -> None:
    disk = kernel.add_disk("sda")
    (kernel.block("dm-0") / "slaves/sda1").mkdir(parents=True)
    kernel.mount("/dev/dm-0", "/")
    assert "holds the running system" in refusal(kernel, disk)


@pytest.mark.parametrize("inner", ["", "sdx1"])
def test_disk_with_a_holder_is_refused(kernel: FakeKernel, inner: str) -> None:
    card = kernel.add_disk("sdx")
    (kernel.block("sdx") / inner / "holders/md0").mkdir()
    assert "in use by /dev/md0" in refusal(kernel, card)


def test_disk_with_swap_is_refused(kernel: FakeKernel) -> None:
    card = kernel.add_disk("sdx")
    with kernel.paths.swaps.open("a") as file:
        file.write("/dev/sdx1 partition 1 0 -2\n")
    assert "in use by swap" in refusal(kernel, card)


def test_fixed_disk_is_refused(kernel: FakeKernel) -> None:
    assert "not removable" in refusal(kernel, kernel.add_disk("sdb", removable=False))


def test_small_or_missing_card_is_refused(kernel: FakeKernel) -> None:
    small = kernel.add_disk("sdx", size_mebi=50)
    assert "too small: it has 0.1 GB" in refusal(kernel, small, image_mebi=64)
    empty = kernel.add_disk("sdy", size_mebi=0)
    assert "is a card reader without a card" in refusal(kernel, empty)


def test_disk_of_exactly_the_image_size_is_accepted(kernel: FakeKernel) -> None:
    disk = find_disk(kernel.add_disk("sdx", size_mebi=100), kernel.paths)
    require_writable(disk, 100 * MEBI, kernel.paths)
    assert disk.size_bytes == 100 * MEBI


@pytest.mark.parametrize(("kind", "removable"), [("SD", True), ("MMC", False)])
def test_card_in_builtin_reader_is_removable_but_emmc_is_not(
    kernel: FakeKernel, kind: str, removable: bool
) -> None:
    path = kernel.add_disk("mmcblk0", removable=False)
    (kernel.block("mmcblk0") / "device/type").write_text(f"{kind}\n")
    assert find_disk(path, kernel.paths).removable is removable


def test_fixed_disk_on_usb_is_removable(kernel: FakeKernel) -> None:
    path = kernel.add_disk("sdy", removable=False)
    kernel.move_to_usb("sdy")
    disk = find_disk(path, kernel.paths)
    assert (disk.removable, disk.on_usb) == (True, True)


def test_partition_is_refused(kernel: FakeKernel) -> None:
    kernel.add_disk("sdx")
    part = kernel.folder / "sdx1"
    part.touch()
    with pytest.raises(UsageError, match="is a partition of /dev/sdx"):
        find_disk(part, kernel.paths)


def test_path_that_is_no_disk_is_refused(kernel: FakeKernel, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="not a whole disk"):
        find_disk(file, kernel.paths)
    with pytest.raises(UsageError, match="No such file"):
        find_disk(kernel.folder / "absent", kernel.paths)
    with pytest.raises(UsageError, match="is not a disk"):
        find_disk(file)


def test_device_files_include_partitions(kernel: FakeKernel) -> None:
    path = kernel.add_disk("mmcblk0", parts=2)
    disk = find_disk(path, kernel.paths)
    names = [file.name for file in device_files(disk, kernel.paths)]
    assert names == ["mmcblk0", "mmcblk0p1", "mmcblk0p2"]
