from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.config.settings import SnapshotSettings
from edge.daemon.commands import build_commands
from edge.daemon.controls import Controls
from edge.daemon.current_view import CurrentView, View
from edge.daemon.snapshot_store import SnapshotStore


def test_commands_act_on_the_daemon(tmp_path: Path) -> None:
    controls, view = Controls(), CurrentView()
    snapshots = SnapshotStore(SnapshotSettings(enabled=True, path=str(tmp_path)))
    commands = build_commands(controls, snapshots, view, "door1")
    assert commands.keys() == {"pause", "resume", "snapshot"}
    commands["pause"]()
    assert controls.paused
    commands["resume"]()
    assert not controls.paused
    view.show(View(Frame(np.zeros((48, 64, 3), np.uint8), 1.0, 1), ()))
    path = Path(commands["snapshot"]()["file"])
    assert path.parent == tmp_path
    assert path.name.startswith("door1-")
    view.clear()
    with pytest.raises(UserError, match="there is no current picture"):
        commands["snapshot"]()
