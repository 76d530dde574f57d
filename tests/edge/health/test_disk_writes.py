from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.health.disk_writes import DAY_S, HOUR_S, DiskWrites, card_bytes, own_bytes

MIB = 2**20


class Counter:
    """What has been written by now, at a time of its own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.own: int | None = 0
        self.card: int | None = 0

    def wear(self, folder: Path | None = Path("/")) -> DiskWrites:
        return DiskWrites(folder, lambda: self.now_s, lambda: self.own, lambda _: self.card)

    def pass_by(self, seconds: float, own: int, card: int) -> None:
        assert self.own is not None
        assert self.card is not None
        self.now_s += seconds
        self.own += own
        self.card += card


def test_a_rate_is_told_from_the_first_hour_on() -> None:
    counter = Counter()
    wear = counter.wear()
    counter.pass_by(HOUR_S - 1.0, MIB, 3 * MIB)
    early = {"written_bytes": MIB, "written_bytes_per_day": None, "card_bytes_per_day": None}
    assert wear.body() == early
    counter.pass_by(1.0, 0, 0)
    assert wear.body() == {
        "written_bytes": MIB,
        "written_bytes_per_day": 24 * MIB,
        "card_bytes_per_day": 72 * MIB,
    }


def test_what_is_more_than_a_day_ago_no_longer_counts() -> None:
    counter = Counter()
    wear = counter.wear()
    counter.pass_by(600.0, 500 * MIB, 500 * MIB)  # a start that wrote a lot
    for _ in range(3 * 24 * 60):
        wear.body()
        counter.pass_by(60.0, 1000, 4000)
    told = wear.body()
    # Marks are ten minutes apart, so the window is a day and up to one of them.
    assert told["written_bytes_per_day"] == pytest.approx(1000 * DAY_S / 60.0)
    assert told["card_bytes_per_day"] == pytest.approx(4000 * DAY_S / 60.0)
    assert told["written_bytes"] == 500 * MIB + 3 * 24 * 60 * 1000


def test_without_counts_nothing_is_made_up() -> None:
    counter = Counter()
    wear = counter.wear(folder=None)
    counter.now_s, counter.own = DAY_S, None
    assert set(wear.body().values()) == {None}


def test_what_this_process_writes_and_syncs_is_counted(tmp_path: Path) -> None:
    before = own_bytes()
    if before is None or os.major(tmp_path.stat().st_dev) == 0:
        pytest.skip("the kernel does not count here, or the disk is memory")
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
    after = own_bytes()
    assert after is not None
    assert after - before >= MIB


def test_the_card_of_a_partition_is_its_whole_disk(tmp_path: Path) -> None:
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
    assert card_bytes(tmp_path, links) == MIB
    link.unlink()
    assert card_bytes(tmp_path, links) is None  # an overlay in memory


@pytest.mark.parametrize("text", ["", "write_bytes: many\n", "rchar: 5\n", "nothing\n"])
def test_a_kernel_that_does_not_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "io").write_text(text)
    assert own_bytes(tmp_path / "io") is None
    assert own_bytes(tmp_path / "none") is None
