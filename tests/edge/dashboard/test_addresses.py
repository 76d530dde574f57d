from __future__ import annotations

import pytest

from edge.common.machine_names import MachineNames
from edge.config.settings import DashboardSettings
from edge.dashboard.addresses import addresses, introduction

DOOR1 = MachineNames("door1", "192.0.2.7", has_mdns=True)


@pytest.mark.parametrize(
    ("host", "cert_file", "expected"),
    [
        ("0.0.0.0", "", ("http://door1.local:8080", "http://192.0.2.7:8080")),
        ("::", "door1.pem", ("https://door1.local:8080", "https://192.0.2.7:8080")),
        ("192.0.2.7", "", ("http://192.0.2.7:8080",)),
        ("2001:db8::7", "", ("http://[2001:db8::7]:8080",)),
        ("127.0.0.1", "", ("http://127.0.0.1:8080",)),
    ],
)
def test_addresses_work_where_the_dashboard_listens(
    host: str, cert_file: str, expected: tuple[str, ...]
) -> None:
    assert addresses(DashboardSettings(host=host, cert_file=cert_file), 8080, DOOR1) == expected


def test_introduction_has_the_code_for_the_first_password() -> None:
    assert introduction(DashboardSettings(host="0.0.0.0"), 8080, DOOR1, "ABCD-2345") == [
        "Dashboard: http://door1.local:8080 or http://192.0.2.7:8080",
        "No password is set yet: open http://door1.local:8080/setup and enter the code ABCD-2345",
    ]


def test_introduction_on_loopback_says_how_other_machines_open_it() -> None:
    lines = introduction(DashboardSettings(), 8080, DOOR1, "")
    assert lines[0] == "Dashboard: http://127.0.0.1:8080"
    assert lines[1].endswith("ssh -L 8080:127.0.0.1:8080 door1.local")
    behind_proxy = DashboardSettings(proxies=("127.0.0.1",))
    assert introduction(behind_proxy, 8080, DOOR1, "") == lines[:1]
