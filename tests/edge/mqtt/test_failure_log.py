from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.mqtt.broker import Broker, LoginRefusedError, PacketTooLargeError, SessionTakenOverError
from edge.mqtt.broker_limits import Features
from edge.mqtt.failure_log import FailureLog


@pytest.fixture
def failures(caplog: pytest.LogCaptureFixture) -> FailureLog:
    caplog.set_level(logging.WARNING)
    return FailureLog(Broker("b", 1883), "mask-patrol-door1", Path("/state/outbox.sqlite3"))


def test_repeated_failure_is_logged_once(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    failures.log_failure(UserError("no broker"), quiet=False)
    failures.log_failure(UserError("connection lost"), quiet=False)
    assert caplog.messages == [
        "no broker; events are kept in /state/outbox.sqlite3 until the broker accepts them"
    ]


def test_failure_after_reset_is_logged_again(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    failures.log_failure(UserError("first"), quiet=False)
    failures.reset()
    failures.log_failure(UserError("second"), quiet=False)
    assert [text.partition(";")[0] for text in caplog.messages] == ["first", "second"]


@pytest.mark.parametrize("kind", [LoginRefusedError, SessionTakenOverError])
def test_refusal_is_logged_after_another_failure(
    failures: FailureLog, caplog: pytest.LogCaptureFixture, kind: type[UserError]
) -> None:
    failures.log_failure(UserError("no broker"), quiet=False)
    for _ in range(3):
        failures.log_failure(kind("refused"), quiet=False)
    failures.log_failure(kind("refused for another reason"), quiet=False)
    assert [text.partition(";")[0] for text in caplog.messages] == [
        "no broker", "refused", "refused for another reason",
    ]  # fmt: skip


def test_too_large_message_is_logged_once_as_error(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    failures.log_failure(PacketTooLargeError("it has 401 bytes"), quiet=False)
    failures.log_failure(PacketTooLargeError("it has 402 bytes"), quiet=False)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_quiet_failure_is_not_a_warning(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    failures.log_failure(UserError("no broker"), quiet=True)
    assert not caplog.records


def test_left_out_message_is_logged_once_per_topic(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    for topic in ("t/health", "t/health", "t/state"):
        failures.log_left_out(PacketTooLargeError(topic), topic)
    assert caplog.messages == ["t/health; it is not published", "t/state; it is not published"]


def test_refused_subscription_is_logged_once(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    failures.log_refused_subscription(["a", "b"])
    failures.log_refused_subscription(["a", "b"])
    assert len(caplog.messages) == 1
    assert "does not let us read a and b" in caplog.text


def test_short_connections_name_the_probable_reasons(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    failures.log_short_connections()
    assert "closed the connection 3 times in a row" in caplog.text
    assert "another client use the same client identifier, 'mask-patrol-door1'" in caplog.text


def test_missing_feature_is_logged_once(
    failures: FailureLog, caplog: pytest.LogCaptureFixture
) -> None:
    for features in (Features(), Features(retain=False), Features(), Features(False, 0)):
        failures.log_missing_features(features)
    assert [text.partition(";")[0] for text in caplog.messages] == [
        "the broker at b:1883 does not support retained messages",
        "the broker at b:1883 supports only messages of QoS 0",
    ]
