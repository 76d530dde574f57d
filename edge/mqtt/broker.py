"""Where the broker is, how to reach it, and what to say when that fails."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.common.errors import UsageError, UserError
from edge.config.settings import MqttSettings
from edge.mqtt.credentials import find_login
from edge.mqtt.tls import Tls
from edge.mqtt.tls_errors import why_no_handshake, why_not_trusted, why_we_are_refused

DEFAULT_PORT, DEFAULT_TLS_PORT = 1883, 8883
CONNECT_TIMEOUT_S = 10.0
#: A broker that turns our certificate down says so at once when nothing else is said.
LISTEN_S = 3.0
#: CONNACK "bad user name or password" and "not authorised", as MQTT 5 numbers them
#: (paho translates those of 3.1.1).
LOGIN_REFUSED = (134, 135)
#: DISCONNECT "session taken over" of MQTT 5, and what stands for no reason given: "normal
#: disconnection" and "unspecified error".
SESSION_TAKEN_OVER, UNTOLD = 142, (0, 128)


class RefusedError(UserError):
    """The broker's rules forbid what we want, or ours forbid the broker: only somebody who
    changes them can help."""


class LoginRefusedError(RefusedError):
    """The broker answered and turned us away."""


class CertificateRefusedError(RefusedError):
    """One side does not accept the other's certificate."""


class TooLargeError(RefusedError):
    """The broker takes no messages of that size."""


@dataclass(frozen=True)
class Broker:
    """Where to connect, as whom, and how it is encrypted."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    keepalive_s: int = 30
    #: `auto`, `5` or `3.1.1`
    version: str = "auto"
    #: None: not encrypted
    tls: Tls | None = None

    @classmethod
    def from_settings(
        cls, settings: MqttSettings, environment: Mapping[str, str] = os.environ
    ) -> Broker:
        """The configured broker, its login looked for in `environment` first.

        Raises UserError when the host is no host name, or the password or a file of
        certificates cannot be used.
        """
        try:
            settings.host.encode("idna")
        except UnicodeError:
            raise UsageError(f"{settings.host!r} is no name of a host") from None
        tls = Tls.from_settings(settings)
        login = find_login(settings, environment)
        return cls(
            settings.host,
            settings.port or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT),
            login.username,
            login.password,
            settings.keepalive_s,
            settings.version,
            tls,
        )

    @property
    def address(self) -> str:
        """`host:port`, for people."""
        return f"{self.host}:{self.port}"


class LostError(UserError):
    """The connection ended without our doing."""


class TakenOverError(LostError):
    """The broker says that somebody else has connected under our name."""


class CutOffError(LostError):
    """The broker, or the network, ended it and gave no reason."""


def new_client(
    broker: Broker,
    client_id: str = "",
    reconnects: bool = False,
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
    lasting: bool = False,
) -> paho.Client:
    """A paho client that is not connected yet; `reconnects`: by itself, when cut off.

    `lasting`: its session outlives the connection (in MQTT 5, `connect` must ask for that,
    too), and whoever receives a message acknowledges it (`Client.ack`) when it is safe.
    Raises UserError when a file of certificates cannot be used any more.
    """
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=protocol,
        clean_session=False if lasting and protocol < MQTTProtocolVersion.MQTTv5 else None,
        reconnect_on_failure=reconnects,
        manual_ack=lasting,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    if broker.username:
        client.username_pw_set(broker.username, broker.password or None)
    if broker.tls:
        client.tls_set_context(broker.tls.context())
    return client


def why_unreachable(broker: Broker, error: Exception) -> UserError:
    """The error for a connection that could not be made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateRefusedError(why_not_trusted(broker.address, broker.host, error))
    if isinstance(error, ssl.SSLError) and (text := why_we_are_refused(broker.address, error)):
        return CertificateRefusedError(text)
    if isinstance(error, ssl.SSLError) or (broker.tls and isinstance(error, ConnectionResetError)):
        return UserError(why_no_handshake(broker.address, error))
    if isinstance(error, socket.gaierror):
        return UserError(
            f"no broker: the name {broker.host!r} is not known here; is it written right?"
        )
    if isinstance(error, TimeoutError):
        return UserError(f"no broker answers at {broker.address} within {CONNECT_TIMEOUT_S:g} s")
    reason = getattr(error, "strerror", None) or str(error)
    return UserError(f"no broker at {broker.address}: {reason}; is it running, and the port right?")


def why_refused(broker: Broker, reason: str) -> str:
    """One line for a broker that answers and says no."""
    who = f"user {broker.username!r}" if broker.username else "a client without a user name"
    return (
        f"the broker at {broker.address} refuses {who}: {reason};"
        " check mqtt.username and mqtt.password_file (or the environment)"
    )


def why_not_accepted(broker: Broker, reason: ReasonCode) -> UserError:
    """The error for a CONNACK that says no."""
    if reason.value in LOGIN_REFUSED:
        return LoginRefusedError(why_refused(broker, str(reason)))
    return UserError(f"the broker at {broker.address} does not accept us now: {reason}")


def why_lost(broker: Broker, reason: ReasonCode, device: str) -> LostError:
    """The error for a connection of `device` that ended."""
    lost = f"connection to the broker at {broker.address} lost"
    if reason.value == SESSION_TAKEN_OVER:
        return TakenOverError(
            f"{lost}: somebody else has connected under our name; is another device also called"
            f" {device!r}? Give each its own `device`"
        )
    kind = CutOffError if reason.value in UNTOLD else LostError
    return kind(f"{lost}: {reason}")


def why_silent(broker: Broker) -> UserError:
    """The error for something that takes connections and speaks no MQTT."""
    doubt = "does it accept this device's certificate" if broker.tls else "does it want TLS"
    return UserError(
        f"{broker.address} does not answer like an MQTT broker; is the port right, and {doubt}?"
    )


def why_broken_off(broker: Broker) -> UserError:
    """The error for a connection that ended before the broker answered.

    In TLS 1.3 a broker that turns our certificate down says so after the handshake, when
    we are speaking already, and what it said may be lost with the connection. So this
    connects once more, says nothing and listens, for `LISTEN_S` at most.
    """
    if broker.tls is None:
        return why_silent(broker)
    try:
        with (
            socket.create_connection((broker.host, broker.port), LISTEN_S) as plain,
            broker.tls.context().wrap_socket(plain, server_hostname=broker.host) as encrypted,
        ):
            encrypted.recv(1)
    except ssl.SSLError as error:
        return why_unreachable(broker, error)
    except UserError as error:
        return error
    except OSError:
        pass  # it waits for us to speak: our certificate is not what it minds
    return why_silent(broker)
