"""The data partition: an empty ext4 with a label, inserted before the root."""

from __future__ import annotations

from pathlib import Path

from sdcard.disk_image.data_partition import LABEL, add_data_partition
from sdcard.disk_image.ext4 import Ext4
from sdcard.disk_image.partition_table import read_layout
from sdcard.programs import run

from tests.pi.disk import MEBI
from tests.support.cli_process import ROOT
from tests.support.systemd.card_images import small_image


def test_data_partition_is_an_empty_labelled_ext4(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    layout = add_data_partition(image, read_layout(image), 16)
    assert layout.data is not None
    assert layout.data.size_bytes == 16 * MEBI
    data = Ext4(image, layout.data.start_bytes)
    data.check()
    assert data.free_bytes() > 10 * MEBI
    header = run("dumpe2fs", "-h", f"{image}?offset={layout.data.start_bytes}").splitlines()
    assert header[0].split()[-1] == LABEL
    Ext4(image, layout.root.start_bytes).check()


def test_mount_script_uses_the_same_label() -> None:
    script = (ROOT / "systemd/storage/mount-data").read_text()
    assert f"\nLABEL={LABEL}\n" in script
