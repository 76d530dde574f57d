"""Asks a local network for the address of a name such as `door1.local` (multicast DNS)."""

from __future__ import annotations

import socket
import struct
import time

GROUP = ("224.0.0.251", 5353)
ANSWER_S = 2.0
#: Type A; class IN, with the bit that asks for an answer to the port of the question.
QUESTION = struct.pack(">2H", 1, 0x8001)


def address_of(name: str, own_address: str, timeout_s: float) -> str:
    """Return the IPv4 address of `name` in the network in which this machine is `own_address`.

    Raises AssertionError if nobody has answered after `timeout_s`.
    """
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + labels + b"\0" + QUESTION
    until_s = time.monotonic() + timeout_s
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        group_from = socket.inet_aton(own_address)
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, group_from)
        asking.bind((own_address, 0))
        asking.settimeout(ANSWER_S)
        while time.monotonic() < until_s:
            try:
                asking.sendto(query, GROUP)
                answer = asking.recv(9000)
            except OSError:  # no answer yet, or the network is being set up
                continue
            if labels in answer:
                # The record ends the message: its length, and the four bytes of the address.
                assert answer[-6:-4] == b"\0\4", answer
                return socket.inet_ntoa(answer[-4:])
    raise AssertionError(f"nobody in the local network is {name}")
