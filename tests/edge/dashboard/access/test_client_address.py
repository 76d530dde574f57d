"""Addresses as limits count them."""

from __future__ import annotations

import pytest

from edge.dashboard.access.client_address import client_network, parse_address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", "2001:db8:0:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("proxy", ""),
        ("", ""),
    ],
)
def test_ipv6_counts_by_network_and_ipv4_by_address(address: str, network: str) -> None:
    assert client_network(address) == network


def test_brackets_and_zones_are_ignored() -> None:
    assert str(parse_address("[fe80::1%eth0]")) == "fe80::1"
    assert parse_address("host:80") is None
