"""The broker's address and encryption, and the errors for failed connections to it."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.common.errors import UserError
from edge.config.settings import MqttSettings
from edge.mqtt.bounded_client import BoundedClient
from edge.mqtt.credentials import find_credentials
from edge.mqtt.tls import Tls
from edge.mqtt.tls_errors import (
    certificate_refused_message,
    handshake_failed_message,
    untrusted_certificate_message,
)

DEFAULT_PORT, DEFAULT_TLS_PORT = 1883, 8883
CONNECT_TIMEOUT_S = 10.0
#: How long to wait for a TLS alert about our certificate; a broker sends it at once.
ALERT_WAIT_S = 3.0
#: The reason codes of a CONNACK for "bad user name or password" and "not authorized" in MQTT 5
#: (paho translates the return codes of 3.1.1 to them).
LOGIN_REFUSED_CODES = (134, 135)
#: Where the user name and the password of the daemon come from.
DAEMON_ACCOUNT = "mqtt.username and mqtt.password_file (or the environment)"
#: The reason code of a CONNACK for "client identifier not valid" in MQTT 5 (paho translates return
#: code 2 of 3.1.1 to it).
CLIENT_ID_REFUSED = 133
#: The reason code of a DISCONNECT for "session taken over" in MQTT 5.
SESSION_TAKEN_OVER = 142
#: The reason codes that give no reason: "normal disconnection" and "unspecified error".
NO_REASON_CODES = (0, 128)


class RefusedError(UserError):
    """A refusal that lasts until a person changes a setting of the broker or of the device."""


class LoginRefusedError(RefusedError):
    """The broker refused the user name and password."""


class CertificateRefusedError(RefusedError):
    """The device refused the broker's certificate, or the broker refused the device's."""


class PacketTooLargeError(RefusedError):
    """The broker does not accept a packet of that size."""


@dataclass(frozen=True)
class Broker:
    """How to connect to the broker: address, credentials, MQTT version and encryption."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    keepalive_s: int = 30
    #: `auto`, `5` or `3.1.1`
    version: str = "auto"
    #: None for a connection without encryption.
    tls: Tls | None = None
    #: The configured client identifier, empty for the default of each client.
    client_id: str = ""

    @classmethod
    def from_settings(
        cls, settings: MqttSettings, environment: Mapping[str, str] = os.environ
    ) -> Broker:
        """Return the configured broker; credentials in `environment` take precedence.

        Raises UserError when the password or a certificate file cannot be used.
        """
        tls = Tls.from_settings(settings)
        credentials = find_credentials(settings, environment)
        return cls(
            settings.host,
            settings.port or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT),
            credentials.username,
            credentials.password,
            settings.keepalive_s,
            settings.version,
            tls,
            settings.client_id,
        )

    @property
    def address(self) -> str:
        """`host:port`, for messages."""
        return f"{self.host}:{self.port}"


class ConnectionLostError(UserError):
    """The connection ended although we did not close it; `reason` is the broker's, if known."""

    def __init__(self, message: str, reason: ReasonCode | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class SessionTakenOverError(ConnectionLostError):
    """The broker reports that another client has connected with our client identifier."""


class UnexplainedLossError(ConnectionLostError):
    """The broker or the network ended the connection without giving a reason."""


def new_client(
    broker: Broker,
    client_id: str = "",
    reconnects: bool = False,
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
    persistent_session: bool = False,
) -> paho.Client:
    """Return a paho client that is not connected yet.

    `reconnects` makes it reconnect by itself when the connection is lost. With
    `persistent_session` the broker keeps the session after the connection ends (in MQTT 5 the
    arguments of `connect` must request that as well), and the caller acknowledges each received
    message (`Client.ack`) when it is stored.
    Raises UserError when a certificate file cannot be used any more.
    """
    is_mqtt_5 = protocol == MQTTProtocolVersion.MQTTv5
    client = BoundedClient(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=protocol,
        clean_session=False if persistent_session and not is_mqtt_5 else None,
        reconnect_on_failure=reconnects,
        manual_ack=persistent_session,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    if broker.username:
        client.username_pw_set(broker.username, broker.password or None)
    if broker.tls:
        client.tls_set_context(broker.tls.context())
    return client


def unreachable_error(broker: Broker, error: Exception) -> UserError:
    """Return the error for a connection that could not be opened because of `error`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateRefusedError(
            untrusted_certificate_message(broker.address, broker.host, error)
        )
    if isinstance(error, ssl.SSLError) and (
        text := certificate_refused_message(broker.address, error)
    ):
        return CertificateRefusedError(text)
    if isinstance(error, ssl.SSLError) or (broker.tls and isinstance(error, ConnectionResetError)):
        return UserError(handshake_failed_message(broker.address, error))
    if isinstance(error, socket.gaierror):
        return UserError(
            f"no broker: the name {broker.host!r} cannot be resolved; is it spelled correctly?"
        )
    if isinstance(error, TimeoutError):
        return UserError(f"no broker answers at {broker.address} within {CONNECT_TIMEOUT_S:g} s")
    reason = getattr(error, "strerror", None) or str(error)
    return UserError(
        f"no broker at {broker.address}: {reason}; is it running, and is the port right?"
    )


def connack_error(
    broker: Broker, reason: ReasonCode, client_id: str = "", account: str = DAEMON_ACCOUNT
) -> UserError:
    """Return the error for a CONNACK that refuses the connection.

    `client_id` is the client identifier in use, if `mqtt.client_id` can change it. `account` says
    where the user name and the password come from.
    """
    if reason.value == CLIENT_ID_REFUSED and client_id:
        return RefusedError(
            f"the broker at {broker.address} refuses the client identifier {client_id!r}:"
            " set mqtt.client_id to one that it accepts"
        )
    if reason.value in LOGIN_REFUSED_CODES:
        client = f"user {broker.username!r}" if broker.username else "a client without a user name"
        return LoginRefusedError(
            f"the broker at {broker.address} refuses {client}: {reason}; check {account}"
        )
    return UserError(f"the broker at {broker.address} refuses the connection: {reason}")


def connection_lost_error(
    broker: Broker, reason: ReasonCode, client_id: str
) -> ConnectionLostError:
    """Return the error for a connection with the identifier `client_id` that ended for `reason`."""
    lost = f"connection to the broker at {broker.address} lost"
    if reason.value == SESSION_TAKEN_OVER:
        return SessionTakenOverError(
            f"{lost}: another client has connected with the same client identifier, {client_id!r};"
            " give each its own `device` (and `mqtt.client_id`, where it is set)",
            reason,
        )
    kind = UnexplainedLossError if reason.value in NO_REASON_CODES else ConnectionLostError
    return kind(f"{lost}: {reason}", reason)


def no_connack_error(broker: Broker) -> UserError:
    """Return the error for a server that accepts connections but does not answer CONNECT."""
    question = "does it accept this device's certificate" if broker.tls else "does it require TLS"
    return UserError(
        f"{broker.address} does not answer like an MQTT broker; is the port right, and {question}?"
    )


def closed_before_connack_error(broker: Broker) -> UserError:
    """Return the error for a connection that ended before the broker sent a CONNACK.

    In TLS 1.3 a broker that refuses our certificate sends its alert after the handshake, when we
    have already sent data; the alert may then be lost when the connection ends. This function
    therefore opens another connection, sends nothing, and waits for an alert, for at most
    `ALERT_WAIT_S`.
    """
    if broker.tls is None:
        return no_connack_error(broker)
    try:
        with (
            socket.create_connection((broker.host, broker.port), ALERT_WAIT_S) as plain,
            broker.tls.context().wrap_socket(plain, server_hostname=broker.host) as encrypted,
        ):
            encrypted.recv(1)
    except ssl.SSLError as error:
        return unreachable_error(broker, error)
    except UserError as error:
        return error
    except OSError:
        pass  # no alert within that time: the broker does not refuse our certificate
    return no_connack_error(broker)
