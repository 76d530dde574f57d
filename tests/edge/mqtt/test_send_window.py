from __future__ import annotations

import math

import pytest

from edge.mqtt.send_window import ACK_TIMEOUT_S, MAX_IN_FLIGHT, SendWindow
from tests.support.clock import MomentClock


@pytest.fixture
def clock() -> MomentClock:
    return MomentClock()


@pytest.fixture
def window(clock: MomentClock) -> SendWindow:
    return SendWindow(lambda: clock().boot_s)


@pytest.mark.parametrize(
    ("receive_maximum", "size"), [(1, 1), (10, 10), (MAX_IN_FLIGHT, MAX_IN_FLIGHT), (65_535, 20)]
)
def test_size_is_the_receive_maximum_or_our_own(
    window: SendWindow, receive_maximum: int, size: int
) -> None:
    window.limit(receive_maximum)
    assert window.free == size
    for packet_id in range(size):
        window.add(packet_id)
    assert window.free == 0
    window.acknowledge(0)
    assert window.free == 1


def test_other_packets_are_ignored(window: SendWindow) -> None:
    """The broker's answer to a message of QoS 0, which paho reports as well."""
    window.add(1)
    window.acknowledge(2)
    assert window.free == MAX_IN_FLIGHT - 1


def test_time_for_acknowledgement_is_limited(window: SendWindow, clock: MomentClock) -> None:
    clock.advance(1000.0)
    assert window.ack_time_left_s() == math.inf
    window.add(1)
    clock.advance(ACK_TIMEOUT_S - 1.0)
    assert window.ack_time_left_s() == 1.0
    clock.advance(1.0)
    assert window.ack_time_left_s() <= 0.0


def test_acknowledgement_restarts_the_time_limit(window: SendWindow, clock: MomentClock) -> None:
    window.add(1)
    window.add(2)
    clock.advance(ACK_TIMEOUT_S - 1.0)
    window.acknowledge(1)
    assert window.ack_time_left_s() == ACK_TIMEOUT_S
