"""The command `mask-patrol broker`, for a broker that install.sh has set up on this device."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.cli.command_parser import Commands, add_command
from edge.common.errors import UsageError, UserError

if TYPE_CHECKING:
    from edge.config.settings import MqttSettings
    from edge.service.local_broker.accounts import Accounts
    from edge.service.local_broker.places import Places


def add_broker(commands: Commands) -> None:
    """Add `broker` and its own commands to the command line."""
    parser = add_command(
        commands,
        "broker",
        help="manage the accounts at the broker on this device",
        description="Manage the accounts of devices and other clients at the broker on this"
        " device, which `install.sh --broker here` has set up. Each device may read and write only"
        " below its own name. Needs root.",
        examples=[
            "sudo mask-patrol broker add door2",
            "sudo mask-patrol broker list",
            "sudo mask-patrol broker remove door2",
        ],
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", title="actions")
    for name, do, text in (
        ("add", _add, "make an account, and print what the device needs to use it"),
        ("list", _list, "print the fingerprint of the certificate, and the names of all accounts"),
        ("remove", _remove, "remove an account, and close its connections"),
        ("setup", _setup, "set up the broker, or complete it; install.sh does this"),
    ):
        action = actions.add_parser(name, help=text, description=text.capitalize() + ".")
        if name in ("add", "remove"):
            action.add_argument(
                "name",
                metavar="NAME",
                help="the setting `device` of the device; `dashboard` for a dashboard on another"
                " machine, `homeassistant` for Home Assistant",
            )
        action.set_defaults(do=do, log_level="warning", log_format="auto")


def _setup(_options: argparse.Namespace) -> int:
    from edge.common.machine_names import MachineNames
    from edge.service.local_broker.certificates import fingerprint, read_certificate
    from edge.service.local_broker.mosquitto_service import MosquittoService
    from edge.service.local_broker.places import GROUP, PORT
    from edge.service.local_broker.root_file import group_number
    from edge.service.local_broker.setup import BrokerSetup

    with _locked() as places:
        machine = MachineNames.of_this_machine()
        setup = BrokerSetup(places, machine, MosquittoService(), group_number(GROUP))
        changed = setup.run()
        certificate = read_certificate(places.authority)
    _print(f"The broker on this device {'is set up' if changed else 'needs no change'}.")
    _print(f"Its address is {machine.public}, port {PORT}, with TLS and accounts only.")
    _print(f"The fingerprint (SHA-256) of its certificate is {fingerprint(certificate)}.")
    _print("sudo mask-patrol broker add NAME makes the account of another device.")
    return 0


def _add(options: argparse.Namespace) -> int:
    from edge.common.machine_names import MachineNames
    from edge.config.settings import load_settings
    from edge.service.local_broker.certificates import fingerprint, read_certificate
    from edge.service.local_broker.instructions import NewAccount
    from edge.service.local_broker.setup import new_password

    name, password = options.name, new_password()
    with _locked() as places:
        accounts = _accounts(places)
        if name in accounts.names():
            raise UserError(
                f"{name} has an account already; for a new password, first"
                f" sudo mask-patrol broker remove {name}"
            )
        mqtt = load_settings(places.configuration).mqtt
        certificate = read_certificate(places.authority)
        _change(accounts, lambda: accounts.put(name, password), mqtt)
    machine = MachineNames.of_this_machine()
    account = NewAccount(name, password, machine, certificate, fingerprint(certificate), mqtt)
    sys.stdout.write(account.instructions())
    return 0


def _list(_options: argparse.Namespace) -> int:
    from edge.service.local_broker.certificates import fingerprint, read_certificate

    with _locked() as places:
        names = _accounts(places).names()
        certificate = read_certificate(places.authority)
    _print(f"certificate  {fingerprint(certificate)}")
    for name in names:
        _print(f"account      {name}")
    return 0


def _remove(options: argparse.Namespace) -> int:
    from edge.config.settings import load_settings

    with _locked() as places:
        accounts = _accounts(places)
        mqtt = load_settings(places.configuration).mqtt
        _change(accounts, lambda: accounts.remove(options.name), mqtt)
    _print(f"{options.name} has no account at the broker any more.")
    return 0


def _change(accounts: Accounts, change: Callable[[], object], mqtt: MqttSettings) -> None:
    """Change the accounts, and let the broker read them and their access rules."""
    from edge.service.local_broker.mosquitto_service import MosquittoService

    change()
    accounts.write_rules(mqtt)
    MosquittoService().reload()


def _accounts(places: Places) -> Accounts:
    from edge.service.local_broker.accounts import Accounts
    from edge.service.local_broker.places import GROUP
    from edge.service.local_broker.root_file import group_number

    if not places.conf.exists() or not places.authority.exists():
        raise UsageError(
            "there is no broker of Mask Patrol on this device: sudo apt install mosquitto && sudo"
            " mask-patrol broker setup sets one up"
        )
    return Accounts(places.accounts, places.rules, group_number(GROUP))


@contextmanager
def _locked() -> Iterator[Places]:
    """Hold the lock of the broker's files; raises UserError if they cannot be changed now."""
    from edge.service.local_broker.places import Places
    from edge.service.read_only_root import root_is_read_only
    from edge.service.releases import installation_lock

    if os.geteuid() != 0:
        raise UsageError("must be run as root: sudo mask-patrol broker …")
    if root_is_read_only():
        raise UserError(
            "the root is read-only: run sudo mask-patrol-read-only off, reboot, and run this again"
        )
    places = Places()
    with installation_lock(places.lock):
        yield places


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
