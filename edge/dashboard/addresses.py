"""The addresses at which browsers reach the dashboard, and what it prints about them."""

from __future__ import annotations

from edge.common.machine_names import MachineNames
from edge.config.settings import DashboardSettings


def is_loopback(host: str) -> bool:
    """Return whether a server that listens on `host` can be reached from its own machine only."""
    return host in ("localhost", "::1") or host.startswith("127.")


def addresses(wanted: DashboardSettings, port: int, machine: MachineNames) -> tuple[str, ...]:
    """Return the addresses for browsers, those that are easiest to type first.

    If the dashboard listens on all interfaces, they are those for other machines.
    """
    hosts = machine.reachable() if wanted.host in ("0.0.0.0", "::") else (wanted.host,)
    scheme = "https" if wanted.cert_file else "http"
    return tuple(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for host in hosts)


def introduction(
    wanted: DashboardSettings, port: int, machine: MachineNames, setup_code: str
) -> list[str]:
    """Return the lines that the dashboard prints when it starts.

    `setup_code` is the code for the first password, empty if none is needed or one is set.
    """
    found = addresses(wanted, port, machine)
    lines = [f"Dashboard: {' or '.join(found)}"]
    if setup_code:
        lines.append(
            f"No password is set yet: open {found[0]}/setup and enter the code {setup_code}"
        )
    if is_loopback(wanted.host) and not wanted.proxies:
        login = machine.reachable()[0]
        lines.append(
            'Other machines cannot open it: set dashboard.host = "0.0.0.0", or run on one of them:'
            f" ssh -L {port}:127.0.0.1:{port} {login}"
        )
    return lines
