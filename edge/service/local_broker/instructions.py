"""What has to be done on a device, or in another client, that gets an account at the broker."""

from __future__ import annotations

from dataclasses import dataclass

from edge.common.machine_names import MachineNames
from edge.config.settings import MqttSettings
from edge.service.local_broker.accounts import EXAMPLE_BASE, EXAMPLE_PREFIX, NO_DEVICES
from edge.service.local_broker.places import PORT


@dataclass(frozen=True)
class NewAccount:
    """An account that was just made: its password is not stored anywhere else."""

    name: str
    password: str
    machine: MachineNames
    certificate: str
    fingerprint: str
    mqtt: MqttSettings

    def __repr__(self) -> str:
        return f"NewAccount(name={self.name!r}, …)"

    def instructions(self) -> str:
        """Return commands and settings for the device, or the data for another client."""
        if self.name in NO_DEVICES:
            return self._for_other_client()
        return self._for_device()

    def _for_device(self) -> str:
        address = self.machine.address
        or_address = f"  # or {address!r}, where this name is not found" if address else ""
        topics = "".join(
            f'{name} = "{own}"\n'
            for name, own, default in (
                ("base", self.mqtt.base, EXAMPLE_BASE),
                ("discovery_prefix", self.mqtt.discovery_prefix, EXAMPLE_PREFIX),
            )
            if own != default
        )
        return f"""\
The broker has the account {self.name} now. Its password is shown only here.

1. Run these commands on the device {self.name}, before or after the installation:

sudo install -d -m 700 /etc/mask-patrol/credentials
sudo tee /etc/mask-patrol/ca.pem >/dev/null <<'END'
{self.certificate.strip()}
END
printf '%s\\n' {self.name} | sudo tee /etc/mask-patrol/credentials/mqtt-username >/dev/null
printf '%s\\n' {self.password} | sudo tee /etc/mask-patrol/credentials/mqtt-password >/dev/null

2. Its configuration (mask-patrol.toml) needs these lines:

device = "{self.name}"
[mqtt]
host = "{self.machine.public}"{or_address}
tls = true
ca_file = "/etc/mask-patrol/ca.pem"
{topics}
The fingerprint (SHA-256) of the certificate is {self.fingerprint}.
"""

    def _for_other_client(self) -> str:
        hosts = " or ".join(filter(None, (self.machine.public, self.machine.address)))
        return f"""\
The broker has the account {self.name} now. Its password is shown only here.

host      {hosts}
port      {PORT}, with TLS
user      {self.name}
password  {self.password}

The client must trust this certificate, whose fingerprint (SHA-256) is
{self.fingerprint}:

{self.certificate.strip()}
"""
