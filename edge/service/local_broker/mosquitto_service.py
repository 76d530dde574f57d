"""Control of mosquitto's service by systemd."""

from __future__ import annotations

from pathlib import Path

from edge.common.errors import UserError
from edge.service.local_broker.places import UNIT
from edge.service.systemd_unit import systemctl

#: systemd has made this folder if it runs: not in a chroot, for example while an image is built.
BOOTED = Path("/run/systemd/system")


class MosquittoService:
    """The service; each method does nothing where systemd does not run."""

    def restart(self) -> None:
        """Enable the service and start it with its present files; raises UserError."""
        systemctl("enable", "--quiet", UNIT)
        if self._is_booted() and systemctl("restart", UNIT):
            raise UserError("mosquitto does not start: journalctl -u mosquitto shows the reason")

    def reload(self) -> None:
        """Have the accounts and the access rules read again; other connections stay open.

        The connections of accounts that were removed are closed.
        """
        # Not `systemctl reload`: Debian's unit needs the program kill, which may not be installed.
        if self._is_booted():
            systemctl("kill", "--kill-who=main", "--signal=HUP", UNIT)

    @staticmethod
    def _is_booted() -> bool:
        return BOOTED.is_dir()
