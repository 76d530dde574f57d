"""The outbox's file or folder is removed, moved, replaced or mounted over while it is in use."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge.outbox.outbox import Outbox
from tests.support.clock import MomentClock
from tests.support.disks import read_only
from tests.support.outboxes import fill_outbox, open_outbox, waiting_seqs

NAME = "outbox.sqlite3"
BEFORE, AFTER = 5, 20


def remove_file(folder: Path) -> None:
    (folder / NAME).unlink()


def remove_all_files(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def remove_log(folder: Path) -> None:
    (folder / f"{NAME}-wal").unlink()


def remove_record(folder: Path) -> None:
    (folder / f"{NAME}.seq").unlink(missing_ok=True)


def move_file(folder: Path) -> None:
    (folder / NAME).rename(folder / "elsewhere")


def move_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def swap_folder(folder: Path) -> None:
    move_folder(folder)
    folder.mkdir()


def replace_by_empty_file(folder: Path) -> None:
    remove_file(folder)
    (folder / NAME).touch()


def replace_by_text(folder: Path) -> None:
    (folder / "new").write_text("not a database\n" * 1000)
    (folder / "new").rename(folder / NAME)


def replace_by_other_database(folder: Path) -> None:
    remove_file(folder)
    db = sqlite3.connect(folder / "new")
    db.execute("CREATE TABLE other (n)")
    db.close()
    (folder / "new").rename(folder / NAME)


def replace_by_copy(folder: Path) -> None:
    shutil.copy(folder / NAME, folder / "copy")
    (folder / "copy").rename(folder / NAME)


def replace_by_older_copy(folder: Path) -> None:
    (folder.parent / "older").rename(folder / NAME)


def replace_by_folder(folder: Path) -> None:
    remove_file(folder)
    (folder / NAME).mkdir()


def replace_by_fifo(folder: Path) -> None:
    remove_file(folder)
    os.mkfifo(folder / NAME)


def replace_by_socket(folder: Path) -> None:
    remove_file(folder)
    with socket.socket(socket.AF_UNIX) as listener, in_folder(folder):
        listener.bind(NAME)


def replace_by_link_to_nothing(folder: Path) -> None:
    remove_file(folder)
    (folder / NAME).symlink_to(folder / "missing")


def replace_log_by_fifo(folder: Path) -> None:
    remove_log(folder)
    os.mkfifo(folder / f"{NAME}-wal")


def truncate(folder: Path) -> None:
    os.truncate(folder / NAME, 0)


def overwrite(folder: Path) -> None:
    with (folder / NAME).open("r+b") as file:
        file.write(b"\xa5" * (folder / NAME).stat().st_size)


def overwrite_with_older_copy(folder: Path) -> None:
    (folder / NAME).write_bytes((folder.parent / "older").read_bytes())


WAYS = [
    remove_file,
    remove_all_files,
    remove_folder,
    remove_log,
    remove_record,
    move_file,
    move_folder,
    swap_folder,
    replace_by_empty_file,
    replace_by_text,
    replace_by_other_database,
    replace_by_copy,
    replace_by_older_copy,
    replace_by_folder,
    replace_by_fifo,
    replace_by_socket,
    replace_by_link_to_nothing,
    replace_log_by_fifo,
    truncate,
    overwrite,
    overwrite_with_older_copy,
]


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Work in `folder`: the path of a Unix socket is limited to 108 bytes."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Mount an empty file system over `folder` inside the context."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root and CAP_SYS_ADMIN: run the tests as root")
    try:
        yield
    finally:
        # --lazy: the outbox has files open on it.
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, clock: MomentClock) -> Outbox:
    """Return an open outbox with `BEFORE` waiting events, of which `../older` lacks the last."""
    outbox = open_outbox(folder, clock=clock)
    outbox.remove(outbox.put({"n": 0}))
    for n in range(1, BEFORE + 1):
        if n == BEFORE:
            # The file is copied by another process: to close it here would release SQLite's lock.
            subprocess.run(["cp", folder / NAME, folder.parent / "older"], check=True)
        outbox.put({"n": n})
    outbox.remove(2)
    return outbox


def content(outbox: Outbox) -> list[tuple[int, int]]:
    return [(event.seq, event.payload["n"]) for event in outbox.pending(0, 1000)]


def expected(last: int) -> list[tuple[int, int]]:
    """Return the numbers and the content of the events that wait after `fill`, up to `last`."""
    return [(n + 1, n) for n in range(2, last + 1)]


def kill(outbox: Outbox) -> None:
    """Release the file as the end of the process would, without a clean end."""
    assert outbox._file is not None
    outbox._file.close()


@pytest.mark.parametrize("way", WAYS)
def test_displaced_file_is_written_again(
    tmp_path: Path, way: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    clock = MomentClock()
    folder = tmp_path / "state"
    outbox = fill(folder, clock)
    way(folder)
    for n in range(BEFORE + 1, AFTER + 1):
        assert outbox.put({"n": n}) == n + 1
    assert outbox.warning == ""
    assert content(outbox) == expected(AFTER)
    if way is not remove_record:
        assert "was removed, replaced or changed by another program" in caplog.text
    kill(outbox)
    again = open_outbox(folder, clock=clock)
    assert content(again) == expected(AFTER)
    assert again.put({}) == AFTER + 2
    again.close()


def test_events_of_another_outbox_in_its_place_get_new_numbers(tmp_path: Path) -> None:
    """Its numbers 1 to 6 belong to other events; 7 and 8 are free."""
    folder = tmp_path / "state"
    outbox = fill(folder, MomentClock())
    fill_outbox(tmp_path / "other", 8).rename(folder / NAME)
    outbox.run_maintenance()
    renumbered = [(n + 9, n) for n in range(6)]
    assert content(outbox) == [*expected(BEFORE), (7, 6), (8, 7), *renumbered]
    assert outbox.put({}) == 15
    kill(outbox)


@pytest.mark.parametrize("way", [remove_folder, move_file, swap_folder, truncate])
def test_maintenance_and_stop_write_displaced_file_again(
    tmp_path: Path, way: Callable[[Path], None]
) -> None:
    folder = tmp_path / "state"
    for finish in (lambda box: (box.run_maintenance(), kill(box)), Outbox.close):
        outbox = fill(folder, MomentClock())
        way(folder)
        finish(outbox)
        again = open_outbox(folder)
        assert content(again) == expected(BEFORE)
        assert again.put({}) == BEFORE + 2
        again.close()
        shutil.rmtree(folder)
        with suppress(FileNotFoundError):
            shutil.rmtree(tmp_path / "elsewhere")


def test_events_survive_a_mount_over_the_folder_and_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    outbox = fill(folder, MomentClock())
    with mounted(folder):
        for n in range(BEFORE + 1, AFTER):
            assert outbox.put({"n": n}) == n + 1
        assert (folder / NAME).stat().st_size > 0
        assert content(outbox) == expected(AFTER - 1)
        outbox.remove(3)  # delivered while the older file is hidden
    assert outbox.put({"n": AFTER}) == AFTER + 1
    assert (content(outbox), outbox.warning) == (expected(AFTER)[1:], "")
    kill(outbox)
    again = open_outbox(folder)
    assert content(again) == expected(AFTER)[1:]
    again.close()


def test_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    clock = MomentClock()
    folder = tmp_path / "state"
    outbox = fill(folder, clock)
    (folder / NAME).rename(tmp_path / "elsewhere")
    with read_only(folder):
        outbox.run_maintenance()
        assert "cannot use the outbox" in outbox.warning
        numbers = [outbox.put({"n": n}) for n in range(BEFORE + 1, AFTER + 1)]
        assert waiting_seqs(outbox) == [seq for seq, _ in expected(BEFORE)] + numbers
    clock.advance(1000.0)
    outbox.run_maintenance()
    assert outbox.warning == ""
    kill(outbox)
    again = open_outbox(folder)
    assert [n for _, n in content(again)] == list(range(2, AFTER + 1))
    again.close()


def test_running_alerts_and_losses_survive_a_removal(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path / "state", max_events=2)
    for kind, alert in [("start", "a"), ("start", "b"), ("end", "a"), ("start", "c")]:
        outbox.put({"event_type": f"no_mask_{kind}", "id": alert})
    assert outbox.dropped == 2
    remove_folder(tmp_path / "state")
    outbox.put({"event_type": "no_mask_end", "id": "b"})
    kill(outbox)
    again = open_outbox(tmp_path / "state", max_events=2)
    assert [start.payload["id"] for start in again.running()] == ["c"]
    assert again.dropped == 3
    again.close()


def test_file_in_use_by_another_process_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    outbox = fill(folder, MomentClock())
    move_file(folder)
    other = open_outbox(folder)
    other.put({"n": -1})
    outbox.put({"n": BEFORE + 1})
    assert "another mask-patrol is using it" in outbox.warning
    assert [n for _, n in content(outbox)] == [*range(2, BEFORE + 2)]
    assert [n for _, n in content(other)] == [-1]
    other.close()


@pytest.mark.parametrize("name", [NAME, f"{NAME}-wal", f"{NAME}-journal", f"{NAME}.seq"])
def test_fifo_at_start_is_reported(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    outbox = open_outbox(tmp_path)
    if name.endswith(".seq"):
        assert outbox.warning == ""
    else:
        assert f"{name} is not a regular file; remove it" in outbox.warning
    seq = outbox.put({"n": 1})
    assert waiting_seqs(outbox) == [seq]
    outbox.close()
