from __future__ import annotations

import socket
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.common.errors import UsageError, UserError
from edge.config.settings import MqttSettings
from edge.mqtt.broker import (
    SESSION_TAKEN_OVER,
    Broker,
    ConnectionLostError,
    LoginRefusedError,
    RefusedError,
    SessionTakenOverError,
    UnexplainedLossError,
    closed_before_connack_error,
    connack_error,
    connection_lost_error,
    no_connack_error,
    unreachable_error,
)
from edge.mqtt.credentials import PASSWORD_VARIABLE
from edge.mqtt.tls import Tls

BROKER = Broker("b", 1883, "door", "hush")
SERVER_BUSY, SERVER_SHUTTING_DOWN = 137, 139


def connack(value: int) -> ReasonCode:
    return ReasonCode(PacketTypes.CONNACK, identifier=value)


def disconnect(value: int) -> ReasonCode:
    return ReasonCode(PacketTypes.DISCONNECT, identifier=value)


def test_default_port_depends_on_tls() -> None:
    assert Broker.from_settings(MqttSettings(host="h")).port == 1883
    assert Broker.from_settings(MqttSettings(host="h", tls=True)).port == 8883
    assert Broker.from_settings(MqttSettings(host="h", tls=True, port=1)).port == 1


def test_password_is_read_from_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    settings = MqttSettings(host="h", username="u", password_file=str(tmp_path / "secret"))
    assert Broker.from_settings(settings, {}).password == "hush"
    with pytest.raises(UserError, match=r"mqtt\.password_file"):
        Broker.from_settings(MqttSettings(host="h", password_file=str(tmp_path / "none")), {})


def test_password_without_user_name_is_refused() -> None:
    with pytest.raises(UsageError):
        Broker.from_settings(MqttSettings(host="h"), {PASSWORD_VARIABLE: "hush"})


def test_configured_client_identifier_is_kept() -> None:
    assert Broker.from_settings(MqttSettings(host="h", client_id="door-7")).client_id == "door-7"


def test_repr_does_not_show_the_password() -> None:
    assert "hush" not in repr(BROKER)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(), "the name 'b' cannot be resolved"),
        (TimeoutError(), "no broker answers at b:1883 within 10 s"),
        (ConnectionRefusedError(111, "Connection refused"), "no broker at b:1883: Connection ref"),
        (ValueError("odd"), "no broker at b:1883: odd"),
    ],
)
def test_unreachable_broker_is_explained(error: Exception, expected: str) -> None:
    found = unreachable_error(BROKER, error)
    assert expected in str(found)
    assert not isinstance(found, RefusedError)


@pytest.mark.parametrize("value", [134, 135])
def test_refused_login_names_the_user(value: int) -> None:
    error = connack_error(BROKER, connack(value))
    assert isinstance(error, LoginRefusedError)
    assert "refuses user 'door'" in str(error)
    assert "hush" not in str(error)


def test_refused_anonymous_client_has_no_user_name() -> None:
    error = connack_error(Broker("b", 1883), connack(135))
    assert "refuses a client without a user name" in str(error)


def test_other_refusal_may_be_temporary() -> None:
    error = connack_error(BROKER, connack(SERVER_BUSY))
    assert not isinstance(error, RefusedError)
    assert "refuses the connection: Server busy" in str(error)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (SESSION_TAKEN_OVER, SessionTakenOverError),
        (0, UnexplainedLossError),
        (128, UnexplainedLossError),
        (SERVER_SHUTTING_DOWN, ConnectionLostError),
    ],
)
def test_lost_connection_has_the_kind_of_its_reason(
    value: int, kind: type[ConnectionLostError]
) -> None:
    error = connection_lost_error(BROKER, disconnect(value), "mask-patrol-door1")
    assert type(error) is kind
    assert str(error).startswith("connection to the broker at b:1883 lost: ")


def test_silent_plain_server_may_want_tls() -> None:
    assert "does it require TLS?" in str(no_connack_error(BROKER))
    assert str(closed_before_connack_error(BROKER)) == str(no_connack_error(BROKER))


def test_silent_tls_server_may_refuse_certificate() -> None:
    assert "accept this device's certificate?" in str(no_connack_error(Broker("b", 1, tls=Tls())))
