"""The address of a source that is kept out of the settings and the arguments, for its password.

Both can be read by others: the settings by whoever may read their file, the arguments by every
user of the machine (`ps`).
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.common.errors import UserError
from edge.common.hidden_passwords import lacks_scheme
from edge.common.paths import exists, user_path
from edge.common.secret_files import read_secret, systemd_credential
from edge.config.settings import CameraSettings, Settings, change

SOURCE_VARIABLE = "MASK_PATROL_CAMERA_SOURCE"
CREDENTIAL_SOURCE = "camera-source"
CONTENT = "the address of the camera"


def with_private_source(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Return `settings` with the address in `camera.source`, wherever it is given.

    It is read from the environment, else from systemd's credentials, else from the file
    `camera.source_file`; without these, `settings` are returned unchanged. An empty environment
    variable counts as unset. Raises UserError when a file cannot be read, is empty, or has more
    than one line. No message contains the address.
    """
    source = (
        environment.get(SOURCE_VARIABLE)
        or systemd_credential(environment, CREDENTIAL_SOURCE, CONTENT)
        or _source_from_file(settings.camera)
    )
    if not source:
        return settings
    if len(source.splitlines()) > 1:
        raise UserError("the file or variable with the camera's address has more than one line")
    return with_source(settings, source)


def with_source(settings: Settings, source: str) -> Settings:
    """Return `settings` with `source` in the place of both `camera.source` and `source_file`."""
    return change(settings, camera={"source": source, "source_file": ""})


def _source_from_file(settings: CameraSettings) -> str:
    if not settings.source_file:
        return ""
    path = user_path(settings.source_file)
    looks_like_address = "://" in settings.source_file or lacks_scheme(settings.source_file)
    if looks_like_address and not exists(path):
        raise UserError(
            "`camera.source_file` must be the path of a file that contains the address;"
            " write the address itself into that file or into `camera.source`"
        )
    return read_secret(f"camera.source_file {path}", path, CONTENT)
