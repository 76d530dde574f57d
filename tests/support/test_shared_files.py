"""Files for all processes of the tests are made once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.shared_files import made_once


def test_files_are_made_once_and_again_after_a_failure(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    calls = []

    def make(folder: Path) -> None:
        (folder / "file").touch()
        calls.append(sorted(path.name for path in folder.iterdir()))
        if len(calls) == 1:
            (folder / "left").touch()
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        made_once(tmp_path_factory, "counted", make)
    threads = [
        threading.Thread(target=made_once, args=(tmp_path_factory, "counted", make))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [["file"], ["file"]]  # nothing is left of the failed attempt
