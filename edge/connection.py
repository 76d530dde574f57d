"""Where the broker is, how to reach it, and what to say when that fails."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.config import MqttSettings
from edge.errors import UsageError, UserError
from edge.paths import user_path

DEFAULT_PORT = 1883
CONNECT_TIMEOUT_S = 10.0
#: CONNACK "bad user name or password" and "not authorised", as MQTT 5 numbers them
#: (paho translates those of 3.1.1).
LOGIN_REFUSED = (134, 135)


class RefusedError(UserError):
    """The broker's rules forbid what we want: only somebody who changes them can help."""


class LoginRefusedError(RefusedError):
    """The broker answered and turned us away."""


@dataclass(frozen=True)
class Broker:
    """Where to connect and as whom."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    keepalive_s: int = 30
    #: `auto`, `5` or `3.1.1`
    version: str = "auto"

    @classmethod
    def from_settings(cls, settings: MqttSettings) -> Broker:
        """The configured broker.

        Raises UserError when the host is no host name or the password cannot be read.
        """
        try:
            settings.host.encode("idna")
        except UnicodeError:
            raise UsageError(f"{settings.host!r} is no name of a host") from None
        password = ""
        if settings.password_file:
            path = user_path(settings.password_file)
            try:
                password = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"cannot read mqtt.password_file {path}: {error}") from None
        return cls(
            settings.host,
            settings.port or DEFAULT_PORT,
            settings.username,
            password,
            settings.keepalive_s,
            settings.version,
        )

    @property
    def address(self) -> str:
        """`host:port`, for people."""
        return f"{self.host}:{self.port}"


def new_client(
    broker: Broker,
    client_id: str = "",
    reconnects: bool = False,
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
) -> paho.Client:
    """A paho client that is not connected yet; `reconnects`: by itself, when cut off."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=protocol,
        reconnect_on_failure=reconnects,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    if broker.username:
        client.username_pw_set(broker.username, broker.password)
    return client


def why_unreachable(broker: Broker, error: Exception) -> str:
    """One line for a connection that could not be made."""
    if isinstance(error, socket.gaierror):
        return f"no broker: the name {broker.host!r} is not known here; is it written right?"
    if isinstance(error, TimeoutError):
        return f"no broker answers at {broker.address} within {CONNECT_TIMEOUT_S:g} s"
    reason = getattr(error, "strerror", None) or str(error)
    return f"no broker at {broker.address}: {reason}; is it running, and the port right?"


def why_refused(broker: Broker, reason: str) -> str:
    """One line for a broker that answers and says no."""
    who = f"user {broker.username!r}" if broker.username else "a client without a user name"
    return (
        f"the broker at {broker.address} refuses {who}: {reason};"
        " check mqtt.username and mqtt.password_file"
    )


def why_not_accepted(broker: Broker, reason: ReasonCode) -> UserError:
    """The error for a CONNACK that says no."""
    if reason.value in LOGIN_REFUSED:
        return LoginRefusedError(why_refused(broker, str(reason)))
    return UserError(f"the broker at {broker.address} does not accept us now: {reason}")


def why_silent(broker: Broker) -> str:
    """One line for something that takes connections and speaks no MQTT."""
    return f"{broker.address} does not answer like an MQTT broker; is the port right?"
