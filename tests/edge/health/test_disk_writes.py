from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.health.disk_writes import (
    DAY_S,
    HOUR_S,
    DiskWrites,
    disk_written_bytes,
    process_written_bytes,
)
from tests.support.clock import Clock

MIB = 2**20


class Counters:
    """The kernel's counters, and a clock, which a test advances."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.by_process: int | None = 0
        self.to_disk: int | None = 0

    def disk_writes(self, folder: Path | None = Path("/")) -> DiskWrites:
        return DiskWrites(folder, self.clock, lambda: self.by_process, lambda _: self.to_disk)

    def advance(self, seconds: float, by_process: int, to_disk: int) -> None:
        assert self.by_process is not None
        assert self.to_disk is not None
        self.clock.advance(seconds)
        self.by_process += by_process
        self.to_disk += to_disk


def test_rate_is_reported_after_an_hour() -> None:
    counters = Counters()
    writes = counters.disk_writes()
    counters.advance(HOUR_S - 1.0, MIB, 3 * MIB)
    early = {"written_bytes": MIB, "written_bytes_per_day": None, "card_bytes_per_day": None}
    assert writes.body() == early
    counters.advance(1.0, 0, 0)
    assert writes.body() == {
        "written_bytes": MIB,
        "written_bytes_per_day": 24 * MIB,
        "card_bytes_per_day": 72 * MIB,
    }


def test_rate_covers_the_last_day_only() -> None:
    counters = Counters()
    writes = counters.disk_writes()
    counters.advance(600.0, 500 * MIB, 500 * MIB)  # the start writes a lot
    for _ in range(3 * 24 * 60):
        writes.body()
        counters.advance(60.0, 1000, 4000)
    body = writes.body()
    # Samples are ten minutes apart, so the window is at most ten minutes longer than a day.
    assert body["written_bytes_per_day"] == pytest.approx(1000 * DAY_S / 60.0)
    assert body["card_bytes_per_day"] == pytest.approx(4000 * DAY_S / 60.0)
    assert body["written_bytes"] == 500 * MIB + 3 * 24 * 60 * 1000


def test_missing_counters_are_none() -> None:
    counters = Counters()
    writes = counters.disk_writes(folder=None)
    counters.clock.advance(DAY_S)
    counters.by_process = None
    assert set(writes.body().values()) == {None}


def test_synced_writes_of_this_process_are_counted(tmp_path: Path) -> None:
    before = process_written_bytes()
    if before is None or os.major(tmp_path.stat().st_dev) == 0:
        pytest.skip("this kernel does not count writes, or the temporary folder is in memory")
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
    after = process_written_bytes()
    assert after is not None
    assert after - before >= MIB


def test_partition_counts_as_its_whole_disk(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    disk = tmp_path / "devices" / "mmcblk0"
    (disk / "mmcblk0p2").mkdir(parents=True)
    (disk / "stat").write_text("   1 2 3 4 5 6   2048 8 9 10 11\n")
    (disk / "mmcblk0p2" / "partition").write_text("2\n")
    (disk / "mmcblk0p2" / "stat").write_text("   1 2 3 4 5 6   7 8 9 10 11\n")
    links = tmp_path / "block"
    links.mkdir()
    link = links / f"{os.major(number)}:{os.minor(number)}"
    link.symlink_to(disk / "mmcblk0p2")
    assert disk_written_bytes(tmp_path, links) == MIB
    link.unlink()
    assert disk_written_bytes(tmp_path, links) is None  # no disk, as with an overlay in memory


@pytest.mark.parametrize("text", ["", "write_bytes: many\n", "rchar: 5\n", "nothing\n"])
def test_unreadable_counters_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "io").write_text(text)
    assert process_written_bytes(tmp_path / "io") is None
    assert process_written_bytes(tmp_path / "missing") is None
