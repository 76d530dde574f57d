"""Where the files of the broker on this device are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: The group of mosquitto's account, in Debian.
GROUP = "mosquitto"
UNIT = "mosquitto.service"
PORT = 8883
#: The name by which the daemon and the dashboard of this device reach the broker.
OWN_HOST = "localhost"


@dataclass(frozen=True)
class Places:
    """The paths below `root`, which is `/` except in tests."""

    root: Path = Path("/")

    @property
    def mosquitto(self) -> Path:
        """mosquitto's folder, with its own configuration."""
        return self.root / "etc/mosquitto"

    @property
    def conf(self) -> Path:
        """The configuration of ours that mosquitto includes."""
        return self.mosquitto / "conf.d/mask-patrol.conf"

    @property
    def folder(self) -> Path:
        """The folder with the accounts, the access rules, the certificates and their keys."""
        return self.mosquitto / "mask-patrol"

    @property
    def accounts(self) -> Path:
        """The accounts, with hashes of their passwords."""
        return self.folder / "passwd"

    @property
    def rules(self) -> Path:
        """The access rules."""
        return self.folder / "acl"

    @property
    def authority(self) -> Path:
        """The certificate that clients trust; its key is `authority_key`."""
        return self.folder / "ca.crt"

    @property
    def authority_key(self) -> Path:
        """The key that signs certificates of the broker; only root can read it."""
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        """The broker's certificate; its key is `certificate_key`."""
        return self.folder / "broker.crt"

    @property
    def certificate_key(self) -> Path:
        """The key of the broker's certificate."""
        return self.folder / "broker.key"

    @property
    def certified_names(self) -> Path:
        """The names and addresses in the broker's certificate, one on each line."""
        return self.folder / "broker.names"

    @property
    def configuration(self) -> Path:
        """The configuration of Mask Patrol."""
        return self.root / "etc/mask-patrol/mask-patrol.toml"

    @property
    def trusted(self) -> Path:
        """The copy of `authority` that the daemon and the dashboard read."""
        return self.root / "etc/mask-patrol/ca.pem"

    @property
    def daemon_credentials(self) -> Path:
        """The folder of the daemon's credentials, which only root can read."""
        return self.root / "etc/mask-patrol/credentials"

    @property
    def dashboard_credentials(self) -> Path:
        """The folder of the dashboard's credentials, which only root can read."""
        return self.root / "etc/mask-patrol-dashboard"

    @property
    def lock(self) -> Path:
        """The lock against concurrent changes, in a folder that only root can open."""
        return self.root / "run/mask-patrol-install/broker"

    @property
    def restart_pending(self) -> Path:
        """This file exists while mosquitto must be restarted because of a change."""
        return self.lock.with_name("broker-restart")
