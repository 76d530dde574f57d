"""The commands over MQTT that the daemon answers besides `ping`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.daemon.controls import Controls
from edge.daemon.current_view import CurrentView
from edge.daemon.snapshot_store import SnapshotStore
from edge.events.episode_id import new_episode_id
from edge.mqtt.command_format import VerbHandler


def build_commands(
    controls: Controls, snapshots: SnapshotStore, view: CurrentView, device: str
) -> Mapping[str, VerbHandler]:
    """Return each verb with the function that carries it out, in the MQTT thread."""

    def snapshot() -> dict[str, Any]:
        return {"file": str(snapshots.save_view(view.get(), new_episode_id(device)))}

    return {"pause": controls.pause, "resume": controls.resume, "snapshot": snapshot}
