"""The command line of `mask-patrol dashboard`."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any

from edge.common.errors import UserError
from edge.common.paths import private_files
from edge.config.settings import DEFAULT_BROKER_HOST, Settings, change, load_settings

#: Packages that only the extra `dashboard` installs; the daemon does not need them.
REQUIRED_PACKAGES = (
    "alembic",
    "argon2",
    "jinja2",
    "jsonschema",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "websockets",
)


def add_dashboard(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    add_common: Callable[[argparse.ArgumentParser], None],
    overridden: Callable[[Settings, argparse.Namespace], Settings],
) -> None:
    """Add the command to the parser.

    `add_common` adds the options that all commands have; `overridden` returns settings changed by
    the option --broker.
    """
    parser = commands.add_parser(
        "dashboard",
        help="serve web pages with alerts, history and health of all devices",
        description="Serve web pages that show the alerts of all devices at a broker live, their"
        " history, and the health of the devices, and that check pictures for masks."
        " The first start prints a code, which is needed to set the password.",
    )
    parser.add_argument(
        "--broker",
        metavar="HOST[:PORT]",
        help=f"MQTT broker (default: mqtt.host or {DEFAULT_BROKER_HOST})",
    )
    parser.add_argument(
        "--host", metavar="H", help="address to listen on (default: dashboard.host or loopback)"
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="P",
        help="port to listen on (default: dashboard.port or 8080)",
    )
    parser.add_argument(
        "--set-password",
        action="store_true",
        help="set the password, which is asked for or read from standard input, and exit",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="also start a broker and a daemon that plays the bundled clip; needs no password",
    )
    add_common(parser)

    def do(options: argparse.Namespace) -> int:
        return _dashboard(options, overridden)

    parser.set_defaults(do=do)


@private_files()
def _dashboard(
    options: argparse.Namespace, overridden: Callable[[Settings, argparse.Namespace], Settings]
) -> int:
    missing = [name for name in REQUIRED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"the dashboard is not installed ({missing[0]} is missing):"
            " pip install '.[dashboard]' in a clone of the repository"
        )
    from edge.dashboard.server import dashboard, set_password

    if options.set_password:
        return set_password()
    settings = overridden(load_settings(options.config), options)
    given: dict[str, Any] = {"host": options.host, "port": options.port}
    changes = {name: value for name, value in given.items() if value is not None}
    settings = change(settings, dashboard=changes)
    if options.demo:
        from edge.dashboard.demo import demo

        return demo(settings)
    return dashboard(settings, options.config)
