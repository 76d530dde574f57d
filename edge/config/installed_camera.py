"""The cameras of the service on this device: where the files of each are.

The first camera is that of `mask-patrol.service`. Each further camera is an instance of
`mask-patrol@.service`, with its own settings, credentials, state and socket. A further camera is
installed if both its settings file and the folder with its credentials exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError

#: The name of the first camera: that of its settings file and of its unit.
FIRST_NAME = "mask-patrol"
MAX_NAME = 48
#: The name of a further camera is a part of the name of a unit and of a device in MQTT topics. Its
#: length is limited by that of the path of a UNIX socket.
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{MAX_NAME - 1}}}")


@dataclass(frozen=True)
class InstalledCamera:
    """A camera of the service, and the paths of its files below `root`, which is `/` except in
    tests."""

    name: str = FIRST_NAME
    root: Path = Path("/")

    @property
    def is_first(self) -> bool:
        """Whether this is the camera of `mask-patrol.service`."""
        return self.name == FIRST_NAME

    @property
    def service(self) -> str:
        """The name of its unit as one types it, without `.service`."""
        return FIRST_NAME if self.is_first else f"{FIRST_NAME}@{self.name}"

    @property
    def unit(self) -> str:
        """The full name of its unit."""
        return f"{self.service}.service"

    @property
    def configuration(self) -> Path:
        """Its settings file."""
        return self.root / f"etc/mask-patrol/{self.name}.toml"

    @property
    def credentials(self) -> Path:
        """The folder of its credentials, which only root can read."""
        # systemd passes on the folders in a folder, too: none of these may be inside another.
        name = "credentials" if self.is_first else f"{self.name}.credentials"
        return self.root / "etc/mask-patrol" / name

    @property
    def state(self) -> Path:
        """Its state directory. That of the first camera contains those of the others."""
        folder = self.root / "var/lib/mask-patrol"
        return folder if self.is_first else folder / "cameras" / self.name

    @property
    def runtime(self) -> Path:
        """Its RuntimeDirectory, with the status file and the socket of the preview."""
        # systemd deletes that of the first camera when its service stops.
        return self.root / (
            "run/mask-patrol" if self.is_first else f"run/mask-patrol-cameras/{self.name}"
        )


FIRST_CAMERA = InstalledCamera()


def further_cameras(root: Path = Path("/")) -> list[InstalledCamera]:
    """Return the installed cameras except the first one, sorted by their names.

    The first camera is always installed.
    """
    files = (root / "etc/mask-patrol").glob("*.toml")
    cameras = (InstalledCamera(file.stem, root) for file in files if _NAME.fullmatch(file.stem))
    installed = (c for c in cameras if not c.is_first and c.credentials.is_dir())
    return sorted(installed, key=lambda camera: camera.name)


def require_camera_name(name: str) -> None:
    """Raise UsageError if `name` cannot be the name of a further camera."""
    if name == FIRST_NAME:
        raise UsageError(
            f"{FIRST_NAME} is the name of the first camera, which the installer sets up: choose"
            " another name"
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a camera: it must begin with a letter or digit, and"
            f" have at most {MAX_NAME} letters from A to Z or a to z, digits, _ and -, such as"
            " door2; --title can be any text"
        )
