"""Reasons why a disk is probably not an SD card."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdcard.disk_warnings import disk_warnings
from sdcard.disks import find_disk

from tests.support.systemd.fake_disks import MEBI, FakeKernel

#: The header of a LUKS volume: the magic, version 1, and a UUID.
LUKS = b"LUKS\xba\xbe\x00\x01".ljust(168, b"\0") + b"6d61736b-0000-4000-8000-000000000001\0\0\0\0"


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def warnings(kernel: FakeKernel, name: str) -> list[str]:
    return disk_warnings(find_disk(kernel.folder / name, kernel.paths), kernel.paths)


def test_card_has_no_warning(kernel: FakeKernel) -> None:
    kernel.add_disk("sdx")
    assert warnings(kernel, "sdx") == []


def test_large_disk_has_a_warning(kernel: FakeKernel) -> None:
    kernel.add_disk("sdx")
    (kernel.block("sdx") / "size").write_text(f"{8 * 10**12 // 512}\n")
    assert warnings(kernel, "sdx") == ["it is larger than SD cards for a Raspberry Pi"]


def test_disk_on_usb_has_a_warning(kernel: FakeKernel) -> None:
    kernel.add_disk("sdy", removable=False)
    kernel.move_to_usb("sdy")
    assert warnings(kernel, "sdy") == ["it is a disk on USB, not a card in a reader"]


@pytest.mark.parametrize("name", ["sdx", "sdx1"])
def test_encrypted_volume_has_a_warning(kernel: FakeKernel, name: str) -> None:
    kernel.add_disk("sdx")
    with (kernel.folder / name).open("r+b" if name == "sdx" else "wb") as file:
        file.write(LUKS)
        file.truncate(80 * MEBI)
    assert warnings(kernel, "sdx") == [f"{name} holds an encrypted volume"]
