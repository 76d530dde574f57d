"""A broker that `BrokerSetup` has set up below a folder, and that runs as a real mosquitto."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from edge.common.machine_names import MachineNames
from edge.config.settings import MqttSettings
from edge.mqtt.broker import Broker
from edge.mqtt.tls import Tls
from edge.service.local_broker.accounts import Accounts
from edge.service.local_broker.mosquitto_service import MosquittoService
from edge.service.local_broker.places import PORT, Places
from edge.service.local_broker.setup import BrokerSetup
from tests.support.ports import accepts, free_port
from tests.support.waiting import PATIENCE_S, wait_until

#: As Debian installs it, with another path of the data.
DEBIAN_CONF = "persistence true\npersistence_location {data}/\ninclude_dir /etc/mosquitto/conf.d\n"
MACHINE = MachineNames("door1", "")


class MosquittoProcess(MosquittoService):
    """Runs mosquitto with the files of `places`, on a free port of the loopback interface."""

    def __init__(self, places: Places) -> None:
        self.port = free_port()
        self.restarts = 0
        self._places = places
        self._process: subprocess.Popen[bytes] | None = None

    def restart(self) -> None:
        self.stop()
        self.restarts += 1
        main = (self._places.mosquitto / "mosquitto.conf").read_text()
        own = self._places.conf.read_text()
        assert f"\nlistener {PORT}\n" in own
        own = own.replace(f"listener {PORT}\n", f"listener {self.port} 127.0.0.1\n")
        conf = self._places.root / "used.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        conf.write_text(main.partition("include_dir")[0] + user + own)
        log = self._places.root / "mosquitto.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["/usr/sbin/mosquitto", "-c", conf], stdout=output, stderr=output
            )
        wait_until(lambda: accepts(self.port), f"mosquitto accepts connections (see {log})")

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)


class LocalBroker:
    """A machine on which Mask Patrol is installed, and its broker once `set_up` was called."""

    def __init__(self, root: Path, configuration: str = "device = 'door1'\n") -> None:
        self.places = Places(root)
        self.process = MosquittoProcess(self.places)
        (root / "data").mkdir()
        places = self.places
        for folder in (places.conf.parent, places.daemon_credentials, places.lock.parent):
            folder.mkdir(parents=True)
        main = self.places.mosquitto / "mosquitto.conf"
        main.write_text(DEBIAN_CONF.format(data=root / "data"))
        self.places.configuration.write_text(configuration)

    def set_up(self, machine: MachineNames = MACHINE) -> bool:
        return BrokerSetup(self.places, machine, self.process, os.getgid()).run()

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.places.accounts, self.places.rules)

    def broker(self, name: str, password: str, port: int | None = None) -> Broker:
        """Return the broker with an account, at the port of a relay if one is given."""
        tls = Tls(ca=self.places.authority)
        return Broker("127.0.0.1", port or self.process.port, name, password, tls=tls)

    def own(self, folder: Path, port: int | None = None) -> Broker:
        """Return the broker with the account whose credentials are in `folder`."""
        name, password = (
            (folder / f"mqtt-{part}").read_text().strip() for part in ("username", "password")
        )
        return self.broker(name, password, port)

    def add(self, name: str, password: str) -> Broker:
        """Add an account as `mask-patrol broker add` does."""
        self.accounts.put(name, password)
        self.accounts.write_rules(MqttSettings())
        self.process.reload()
        return self.broker(name, password)
