"""`mask-patrol dashboard` on the command line."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any

from edge.common.errors import UserError
from edge.config.settings import Settings, change, load_settings

#: What the extra `dashboard` brings; the daemon does without.
NEEDED = (
    "alembic",
    "argon2",
    "jinja2",
    "jsonschema",
    "sqlalchemy",
    "starlette",
    "tomlkit",
    "uvicorn",
    "websockets",
)


def add_dashboard(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    add_common: Callable[[argparse.ArgumentParser], None],
    overridden: Callable[[Settings, argparse.Namespace], Settings],
) -> None:
    """Add the command; `add_common` gives it the options that all commands have, `overridden`
    takes --broker into settings."""
    parser = commands.add_parser(
        "dashboard",
        help="serve the page that shows alerts, history and health",
        description="Serve a page that shows the alerts of all devices at a broker as they"
        " happen, keeps their history, tells how the devices are, and checks pictures."
        " At its first start it prints a code with which the password is set.",
    )
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="MQTT broker (default: mqtt.host, else 127.0.0.1)"
    )
    parser.add_argument(
        "--host", metavar="H", help="where to listen (default: dashboard.host, else loopback)"
    )
    parser.add_argument(
        "--port", type=int, metavar="P", help="its port (default: dashboard.port, else 8080)"
    )
    parser.add_argument(
        "--set-password",
        action="store_true",
        help="set the password (asked for, or a line of standard input) and end",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="start a broker and the daemon on the bundled clip, too; without a password",
    )
    add_common(parser)

    def do(options: argparse.Namespace) -> int:
        return _dashboard(options, overridden)

    parser.set_defaults(do=do)


def _dashboard(
    options: argparse.Namespace, overridden: Callable[[Settings, argparse.Namespace], Settings]
) -> int:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"the dashboard is not installed ({missing[0]} is missing):"
            " pip install 'mask-patrol[dashboard]'"
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
