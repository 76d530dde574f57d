from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from edge.common.errors import UserError
from edge.mqtt.broker import Broker
from edge.mqtt.embedded_broker import EmbeddedBroker
from tests.support.mqtt.brokers import Subscriber
from tests.support.ports import accepts, free_port
from tests.support.waiting import wait_until

OWNER = """
import sys, threading
from edge.mqtt.embedded_broker import EmbeddedBroker
with EmbeddedBroker(int(sys.argv[1])):
    sys.stdout.write("up\\n")
    sys.stdout.flush()
    threading.Event().wait()
"""


def test_forwards_messages_until_block_ends() -> None:
    with EmbeddedBroker(free_port()) as server:
        listener = Subscriber(Broker(server.host, server.port), "a/#")
        for n in range(20):
            listener.client.publish("a/b", f'{{"n": {n}}}', qos=1)
        listener.wait_for(lambda: len(listener.messages) == 20, "all messages")
        assert [m["n"] for m in listener.bodies("b")] == list(range(20))
        listener.close()
    assert not accepts(server.port)


def test_port_in_use_is_reported_or_avoided() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        with pytest.raises(UserError, match=r"port \d+ on 127\.0\.0\.1 is in use"):
            EmbeddedBroker(squatter.getsockname()[1])
    with EmbeddedBroker() as first, EmbeddedBroker() as second:
        assert first.port != second.port


def test_port_that_is_taken_after_it_was_chosen_is_avoided() -> None:
    first, second = EmbeddedBroker(), EmbeddedBroker()
    second.port = first.port  # as two daemons that start at the same time
    with first, second:
        assert accepts(first.port)
        assert accepts(second.port)
        assert first.port != second.port


def test_ends_when_its_owner_is_killed() -> None:
    port = free_port()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(port)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"up\n"
    assert accepts(port)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    wait_until(lambda: not accepts(port), "the end of the broker")
    assert not accepts(port)
