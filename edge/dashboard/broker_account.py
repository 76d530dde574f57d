"""The dashboard's account at the broker.

The dashboard only reads, so it should not have the account of a daemon, which may publish events.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from edge.common.errors import UsageError, UserError
from edge.common.secret_files import DIRECTORY_VARIABLE
from edge.config.settings import DEFAULT_BROKER_HOST, Settings, change
from edge.mqtt.broker import Broker


def dashboard_broker(settings: Settings, environment: Mapping[str, str] = os.environ) -> Broker:
    """Return the broker of `[mqtt]` with the account of the dashboard.

    The account is the first of these that is given: the environment variables, `mqtt_username` of
    `[dashboard]`, systemd's credentials, `username` of `[mqtt]`. The client certificate is that of
    `[dashboard]` if there is one, else that of `[mqtt]`.

    Raises UserError when the password or a certificate file cannot be used, UsageError for settings
    that contradict each other.
    """
    wanted = settings.dashboard
    for name, needed in (("password_file", "username"), ("key_file", "cert_file")):
        if getattr(wanted, f"mqtt_{name}") and not getattr(wanted, f"mqtt_{needed}"):
            raise UsageError(f"`dashboard.mqtt_{name}` needs `dashboard.mqtt_{needed}`")
    own: dict[str, Any] = {}
    if wanted.mqtt_username:
        own |= {"username": wanted.mqtt_username, "password_file": wanted.mqtt_password_file}
        environment = {k: v for k, v in environment.items() if k != DIRECTORY_VARIABLE}
    if wanted.mqtt_cert_file:
        own |= {"cert_file": wanted.mqtt_cert_file, "key_file": wanted.mqtt_key_file}
    mqtt = change(settings, mqtt={"host": settings.mqtt.host or DEFAULT_BROKER_HOST, **own}).mqtt
    try:
        return Broker.from_settings(mqtt, environment)
    except UserError as error:
        text = str(error)
        for name in own:
            text = text.replace(f"mqtt.{name}", f"dashboard.mqtt_{name}")
        raise type(error)(text) from None
