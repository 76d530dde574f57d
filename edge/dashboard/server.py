"""`mask-patrol dashboard`: builds, starts and stops the services of the dashboard."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import uvicorn
from starlette.types import ASGIApp

from edge.common.clock import clock_is_synchronised
from edge.common.errors import UsageError, UserError
from edge.common.file_access import access_problem
from edge.common.machine_names import MachineNames
from edge.common.password_input import read_password
from edge.common.paths import make_private, state_directory, user_path
from edge.common.signals import signal_handlers
from edge.config.settings import DashboardSettings, Settings
from edge.dashboard.access.attempt_store import AttemptStore
from edge.dashboard.access.connection_limits import ConnectionLimits, LimitedListener
from edge.dashboard.access.hashing_thread import HashingThread
from edge.dashboard.access.known_browsers import KnownBrowsers
from edge.dashboard.access.link_tokens import LinkTokens
from edge.dashboard.access.login_attempts import LoginAttempts
from edge.dashboard.access.login_sessions import LoginSessions
from edge.dashboard.access.password import Password
from edge.dashboard.addresses import introduction, is_loopback
from edge.dashboard.broker_account import dashboard_broker
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.retention import DAY_S, RetentionJob
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.ingest.ingest import Ingest
from edge.dashboard.ingest.subscriber import Subscriber
from edge.dashboard.ingest.validation import MessageValidator
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.local_camera import LocalCamera, local_cameras
from edge.dashboard.notify.notifications import (
    Notifications,
    find_receivers,
    make_notifications,
)
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from edge.dashboard.picture_check.worker_client import WorkerClient
from edge.health.systemd_notify import Notifier
from edge.mqtt.broker import Broker

log = logging.getLogger(__name__)

#: The largest message that a page may send over its websocket; these messages are ignored.
MAX_WEBSOCKET_MESSAGE_BYTES = 4096
#: The event loop accepts this many connections before it closes those that give way to them, so
#: the number of open files exceeds the limit of connections by no more than this.
MAX_ACCEPTED_AT_ONCE = 128
SHUTDOWN_TIMEOUT_S = 2
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def dashboard(settings: Settings, config: Path | None = None) -> int:
    """Serve the dashboard until SIGTERM or Ctrl-C, and return the exit code.

    `config` is the file from which `settings` were read, None without one.

    Raises UserError and UsageError.
    """
    wanted = settings.dashboard
    if wanted.proxies and not wanted.password_on_loopback:
        raise UsageError(
            "with both `dashboard.password_on_loopback = false` and `dashboard.proxies`, requests"
            " through the proxy could be accepted without a password: leave one of them out"
        )
    # Mistakes in the settings are reported before the database is created or migrated.
    broker = dashboard_broker(settings)
    certificate = _load_certificate(wanted)
    limits = ConnectionLimits(wanted.proxies)
    with _lock_state_directory() as folder, _bind(wanted, limits) as listener:
        receivers = find_receivers(settings, folder)
        engine = open_database(wanted.database)
        cameras = local_cameras(settings, config)
        live = LiveState()
        notifications = make_notifications(settings, receivers, engine, live)
        services = _Services.build(settings, engine, folder, broker, cameras, live, notifications)
        app = make_app(
            services.context, wanted.names, wanted.password_on_loopback, bool(wanted.proxies)
        )
        server = _Server(_server_settings(app, wanted, certificate, limits))
        notifier = Notifier()
        try:
            services.start()
            _announce(wanted, listener, services.context.password)
            listener.listen()  # Connections are refused before this call.
            notifier.ready()
            server.run(sockets=[listener])
        except sa.exc.SQLAlchemyError as error:
            raise UserError(f"cannot read the database: {error}") from None
        finally:
            notifier.stopping()
            services.stop()
            engine.dispose()
    return 0


@dataclass(frozen=True)
class _Services:
    """The services that run in the background, and the context that gives the pages access."""

    ingest: Ingest
    subscriber: Subscriber
    retention: RetentionJob
    attempts: AttemptStore
    context: PageContext

    @staticmethod
    def build(
        settings: Settings,
        engine: sa.Engine,
        folder: Path,
        broker: Broker,
        cameras: Mapping[str, LocalCamera],
        live_state: LiveState,
        notifications: Notifications,
    ) -> _Services:
        """Create the services and connect them with each other, without starting them."""
        wanted = settings.dashboard
        notifier = notifications.notifier
        store = HistoryStore(engine, wanted.retention_days * DAY_S, notifier.add_alerts)
        history = HistoryQueries(engine)
        name = _load_name(folder)
        password = Password(folder / "dashboard-password")
        hashing = HashingThread()
        attempts = AttemptStore(folder / "dashboard-attempts.sqlite3")
        ingest = Ingest(
            MessageValidator(settings.mqtt.base, clock_is_synchronised),
            store,
            history,
            live_state,
            name if wanted.shared else "",
            on_written=notifier.wake,
            on_housekeeping=notifier.check_devices,
        )
        subscriber = Subscriber(
            broker,
            settings.mqtt.base,
            name,
            ingest.receive,
            live_state.set_connection,
            wanted.shared,
        )
        context = PageContext(
            live_state,
            store,
            history,
            password,
            LoginSessions(engine, wanted.session_hours * 3600.0),
            KnownBrowsers(password),
            hashing,
            LoginAttempts(hashing, attempts),
            WorkerClient(settings),
            notifications,
            cameras,
            broker.address,
            settings.mqtt.base,
            ingest.forget,
            settings.door_screen,
            door_tokens=LinkTokens(folder / "dashboard-door-links"),
            display_tokens=LinkTokens(folder / "dashboard-display-links"),
        )
        retention = RetentionJob(engine, wanted.retention_days, wanted.max_alerts)
        return _Services(ingest, subscriber, retention, attempts, context)

    def start(self) -> None:
        """Start the threads; raises sqlalchemy.exc.SQLAlchemyError and UserError."""
        self.context.notifications.start()
        self.ingest.start()
        self.subscriber.start()
        self.retention.start()

    def stop(self) -> None:
        """Stop in the order of the data flow, so that all received events are written."""
        self.subscriber.stop(leave_group=self.ingest.others_are_running)
        self.ingest.stop()
        self.context.notifications.stop()
        self.retention.stop()
        self.context.picture_checker.stop()
        self.context.hashing.stop()
        self.attempts.close()


def _server_settings(
    app: ASGIApp,
    wanted: DashboardSettings,
    certificate: _Certificate | None,
    limits: ConnectionLimits,
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(wanted.proxies),
        forwarded_allow_ips=",".join(wanted.proxies) or "127.0.0.1",
        # Other event loops do not accept connections through LimitedListener.
        loop="asyncio",
        http=limits.protocol_class(),
        backlog=MAX_ACCEPTED_AT_ONCE,
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        lifespan="off",
        ssl_certfile=certificate.cert if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )


class _Server(uvicorn.Server):
    """A server that exits normally on a signal.

    uvicorn's own class raises the signal again after it has stopped, which ends the process.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and Ctrl-C; a second signal stops waiting for open connections."""
        with signal_handlers(dict.fromkeys(STOP_SIGNALS, self.handle_exit)):
            yield


def set_password() -> int:
    """Set the password from the terminal or, if there is none, from a line of standard input.

    Return the exit code. Raises UserError.
    """
    folder = state_directory()
    new = read_password("New password of the dashboard: ")
    if sys.stdin.isatty() and read_password("Again: ") != new:
        raise UserError("the two passwords differ")
    Password(folder / "dashboard-password").set(new)
    sys.stdout.write("The password is set. All users must log in again.\n")
    return 0


@dataclass(frozen=True)
class _Certificate:
    cert: Path
    key: Path | None


def _load_certificate(wanted: DashboardSettings) -> _Certificate | None:
    if not wanted.cert_file:
        if wanted.key_file:
            raise UsageError("`dashboard.key_file` needs `dashboard.cert_file`")
        return None
    import ssl

    cert = user_path(wanted.cert_file)
    key = user_path(wanted.key_file) if wanted.key_file else None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, "")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot use dashboard.cert_file {cert}: {reason}") from None
    return _Certificate(cert, key)


@contextlib.contextmanager
def _lock_state_directory() -> Iterator[Path]:
    """Yield the state directory, locked so that only one dashboard uses it."""
    folder = state_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "dashboard.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        reason = access_problem([folder / "dashboard.lock"]) or error.strerror
        raise UserError(f"cannot use the state directory {folder}: {reason}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UserError(
            f"another dashboard uses {folder}: stop it, or set another STATE_DIRECTORY for this one"
        ) from None
    try:
        yield folder
    finally:
        os.close(descriptor)


def _load_name(folder: Path) -> str:
    """Return this dashboard's name, created at the first start; its MQTT session depends on it."""
    path = folder / "dashboard-name"
    make_private(path)
    try:
        name = path.read_text(encoding="ascii").strip()
        if name.isalnum() and len(name) == 16:
            return name
    except (OSError, ValueError):
        pass
    name = secrets.token_hex(8)
    try:
        path.write_text(name + "\n", encoding="ascii")
    except OSError as error:
        reason = access_problem([path]) or error.strerror
        raise UserError(f"cannot write {path}: {reason}") from None
    return name


@contextlib.contextmanager
def _bind(wanted: DashboardSettings, limits: ConnectionLimits) -> Iterator[socket.socket]:
    """Yield a socket that is bound to the configured address and does not listen yet.

    It accepts only the connections that `limits` admits.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            wanted.host, wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = LimitedListener(family, kind, number)
        listener.limits = limits
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {wanted.host}:{wanted.port}: {reason}; choose another"
            " dashboard.port (or --port)"
        ) from None
    with listener:
        yield listener


def _announce(wanted: DashboardSettings, listener: socket.socket, password: Password) -> None:
    """Print the address and, while no password is set, the code for setting it."""
    needs_password = wanted.password_on_loopback or not is_loopback(wanted.host)
    code = password.setup_code if needs_password and not password.is_set else ""
    machine = MachineNames.of_this_machine()
    lines = introduction(wanted, listener.getsockname()[1], machine, code)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    if not wanted.cert_file and not wanted.proxies and not is_loopback(wanted.host):
        log.warning(
            "passwords are sent over the network unencrypted: set dashboard.cert_file, or use a"
            " proxy with TLS in front of the dashboard"
        )
