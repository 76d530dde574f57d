"""Set `[camera.controls]` at a V4L2 camera."""

from __future__ import annotations

from edge.camera.controls.control_table import TABLE, Assignment
from edge.camera.controls.v4l2_device import ControlDevice
from edge.config.camera_controls import CameraControls


class V4l2Controls:
    """Sets the controls of one camera, and resets those that are no longer set."""

    def __init__(self) -> None:
        """Begin with a camera of which nothing was set."""
        self._changed: dict[int, None] = {}

    def has_work(self, controls: CameraControls) -> bool:
        """Return whether `apply` has anything to set or to reset."""
        return bool(controls.names or self._changed)

    def apply(self, device: ControlDevice, controls: CameraControls) -> tuple[str, ...]:
        """Set `controls`; return the names of those that the camera does not support or refuses.

        A control that this object has set before, and that `controls` do not set, gets the
        default value of the camera.
        """
        wanted = {name: TABLE[name].v4l2(getattr(controls, name)) for name in controls.names}
        keeps = {each.control for group in wanted.values() for each in group}
        for control in [control for control in self._changed if control not in keeps]:
            if (found := device.query(control)) is not None:
                _try_to_set(device, control, found.default)
            del self._changed[control]
        return tuple(name for name, group in wanted.items() if not self._set(device, group))

    def _set(self, device: ControlDevice, group: tuple[Assignment, ...]) -> bool:
        """Assign the values of one setting; return whether the camera took those it needs."""
        ranges = {each.control: device.query(each.control) for each in group}
        if not group or any(each.needed and ranges[each.control] is None for each in group):
            return False
        for each in group:
            if (found := ranges[each.control]) is not None:
                self._changed[each.control] = None
                if not _try_to_set(device, each.control, each.choose(found)) and each.needed:
                    return False
        return True


def _try_to_set(device: ControlDevice, control: int, value: int) -> bool:
    try:
        device.set(control, value)
    except OSError:
        return False
    return True
