"""Whose connections are counted."""

from __future__ import annotations

import pytest

from edge.dashboard.access.connection_limits import LimitedProtocol, limited_protocol


@pytest.mark.parametrize(
    ("address", "shared"),
    [("192.0.2.1", True), ("192.0.2.2", False), ("fd00::1", True), ("", False), ("proxy", False)],
)
def test_only_proxies_speak_for_many(address: str, shared: bool) -> None:
    assert limited_protocol(["192.0.2.1", "fd00::1", "proxy"])._is_proxy(address) == shared
    assert not LimitedProtocol.proxy_networks
