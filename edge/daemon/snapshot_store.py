"""The snapshots of the running daemon; a reload can turn them on or off or move them."""

from __future__ import annotations

import logging
from pathlib import Path

from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.config.settings import SnapshotSettings
from edge.daemon.current_view import View
from edge.events.alert_machine import Event
from edge.events.snapshot import Snapshots, StoredSnapshot

log = logging.getLogger(__name__)

OFF = "snapshots are off; set snapshot.enabled in the configuration"


class SnapshotStore:
    """Saves snapshots while `snapshot.enabled` is on.

    The loop's thread saves alerts and changes the settings, the MQTT thread saves the current
    view, the health thread deletes old files, and the preview thread reads them. Each method reads
    the settings once, and `Snapshots` keeps no state of its own, so that no lock is needed.
    """

    def __init__(self, settings: SnapshotSettings) -> None:
        """Raise UserError when snapshots are on and `settings.path` cannot be a path."""
        self.change(settings)

    def change(self, settings: SnapshotSettings) -> None:
        """Use other settings from now on.

        Raises UserError when snapshots are on and `settings.path` cannot be a path.
        """
        self._enabled = Snapshots(settings) if settings.enabled else None
        self._settings = settings

    def save_alert(self, event: Event, frame: Frame) -> None:
        """Save `frame` when `event` starts an alert; a failure is logged only."""
        snapshots = self._enabled
        if snapshots is None or event.event_type != "no_mask_start":
            return
        try:
            snapshots.save(event.episode, frame, [event.box])
        except UserError as error:
            log.warning("%s", error)  # an alert must not fail for lack of a picture

    def save_view(self, view: View | None, name: str) -> Path:
        """Save the current view as `name`.jpg and return the path of the file.

        Raises UserError when snapshots are off, when there is no current view, and when the
        file cannot be written.
        """
        snapshots = self._required()
        if view is None:
            raise UserError(
                "there is no current picture: the camera delivers none, or monitoring is paused"
            )
        return snapshots.save(name, view.frame, view.alerts)

    def stored(self) -> list[StoredSnapshot]:
        """Return the stored pictures, newest first; raises UserError when snapshots are off."""
        return self._required().stored()

    def read(self, name: str) -> bytes:
        """Return the JPEG `name`; raises UserError without it, and when snapshots are off."""
        return self._required().read(name)

    def delete_expired(self) -> None:
        """Delete snapshots that are too old or too many, also while snapshots are off: the
        existing files still expire."""
        (self._enabled or Snapshots(self._settings)).delete_expired()

    def _required(self) -> Snapshots:
        """Return the snapshots; raises UserError when they are off."""
        snapshots = self._enabled
        if snapshots is None:
            raise UserError(OFF)
        return snapshots
