from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.common.sync_folder import sync_folder


def test_folder_is_synced_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[Path, int]] = []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").resolve(), descriptor))

    monkeypatch.setattr(os, "fsync", fsync)
    sync_folder(tmp_path)
    ((folder, descriptor),) = synced
    assert folder == tmp_path
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
