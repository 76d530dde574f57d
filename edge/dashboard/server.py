"""`mask-patrol dashboard`: everything composed, started, and stopped in order."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import uvicorn
from starlette.types import ASGIApp

from edge.common.clock import clock_is_synchronised
from edge.common.errors import UsageError, UserError
from edge.common.paths import state_directory, user_path
from edge.config.settings import DashboardSettings, Settings, change
from edge.dashboard.access.connection_limits import MAX_CONNECTIONS, limited_protocol
from edge.dashboard.access.login_sessions import LoginSessions
from edge.dashboard.access.login_throttle import LoginThrottle
from edge.dashboard.access.password import Password
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.retention import RetentionJob
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.ingest.ingest import Ingest
from edge.dashboard.ingest.subscriber import Subscriber
from edge.dashboard.ingest.validation import MessageValidator
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from edge.dashboard.picture_check.worker_client import WorkerClient
from edge.health.systemd_notify import Notifier
from edge.mqtt.broker import Broker

log = logging.getLogger(__name__)

#: What a page may send over its websocket: nothing that matters.
MAX_SOCKET_BYTES = 4096
BACKLOG = 128
STOP_S = 2
STOPPING = (signal.SIGTERM, signal.SIGINT)


def dashboard(settings: Settings, config: Path | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code. Raises UserError, UsageError.

    `config` is the file of `settings`: the Camera page saves to it."""
    wanted = settings.dashboard
    if wanted.proxies and not wanted.password_on_loopback:
        raise UsageError(
            "`dashboard.password_on_loopback = false` and `dashboard.proxies` together could let"
            " in without a password whoever comes through the proxy: leave one of them out"
        )
    mqtt = settings.mqtt
    if not mqtt.host:
        mqtt = change(settings, mqtt={"host": "127.0.0.1"}).mqtt
    broker = Broker.from_settings(mqtt)
    certificate = _certificate(wanted)
    with _own_folder() as folder, _listen(wanted) as listener:
        engine = open_database(wanted.database)
        password = Password(folder / "dashboard-password")
        needs_none = not wanted.password_on_loopback and _is_loopback(wanted.host)
        kept_s = wanted.retention_days * 86_400.0
        board, store, history = LiveState(), HistoryStore(engine, kept_s), HistoryQueries(engine)
        name = _own_name(folder)
        intake = MessageValidator(mqtt.base, clock_is_synchronised)
        ingest = Ingest(intake, store, history, board, name if wanted.shared else "")
        subscriber = Subscriber(
            broker, mqtt.base, name, ingest.receive, board.set_connection, wanted.shared
        )
        picture_checker = WorkerClient(settings)
        sessions = LoginSessions(engine, wanted.session_hours * 3600.0)
        camera = LocalCamera(settings, config) if settings.camera.preview else None
        context = PageContext(
            board,
            store,
            history,
            password,
            sessions,
            LoginThrottle(),
            picture_checker,
            camera,
            ingest.forget,
        )
        app = make_app(context, wanted.names, wanted.password_on_loopback, bool(wanted.proxies))
        server = _Server(_server_settings(app, wanted, certificate))
        tidier = RetentionJob(engine, wanted.retention_days, wanted.max_alerts)
        notifier = Notifier()
        try:
            ingest.start()
            subscriber.start()
            tidier.start()
            _welcome(wanted, listener, password, needs_none, bool(certificate))
            listener.listen(BACKLOG)  # from here on nobody is refused
            notifier.ready()
            server.run(sockets=[listener])
        except sa.exc.SQLAlchemyError as error:
            raise UserError(f"cannot read the database: {error}") from None
        finally:
            notifier.stopping()
            subscriber.stop(leave_group=ingest.others_are_running)
            ingest.stop()
            tidier.stop()
            picture_checker.stop()
            engine.dispose()
    return 0


def _server_settings(
    app: ASGIApp, wanted: DashboardSettings, certificate: _Certificate | None
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(wanted.proxies),
        forwarded_allow_ips=",".join(wanted.proxies) or "127.0.0.1",
        http=limited_protocol(wanted.proxies),
        limit_concurrency=MAX_CONNECTIONS,
        ws_max_size=MAX_SOCKET_BYTES,
        timeout_graceful_shutdown=STOP_S,
        lifespan="off",
        ssl_certfile=certificate.cert if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )


class _Server(uvicorn.Server):
    """One whose stop is no failure: uvicorn's own sends itself the signal again in the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and Ctrl-C; a second one stops waiting for connections."""
        before = {number: signal.signal(number, self.handle_exit) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def set_password() -> int:
    """Ask for the password on the terminal, or read it from standard input."""
    folder = state_directory()
    if sys.stdin.isatty():
        import getpass

        new = getpass.getpass("New password of the dashboard: ")
        if getpass.getpass("Again: ") != new:
            raise UserError("the two passwords differ")
    else:
        new = sys.stdin.readline().rstrip("\n")
    Password(folder / "dashboard-password").set(new)
    sys.stdout.write("The password is set; who was logged in must log in again.\n")
    return 0


@dataclass(frozen=True)
class _Certificate:
    cert: Path
    key: Path | None


def _certificate(wanted: DashboardSettings) -> _Certificate | None:
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
def _own_folder() -> Iterator[Path]:
    """The state directory, for one dashboard at a time."""
    folder = state_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "dashboard.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(f"cannot use the state directory {folder}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UserError(
            f"another dashboard uses {folder}: stop it, or give this one its own STATE_DIRECTORY"
        ) from None
    try:
        yield folder
    finally:
        os.close(descriptor)


def _own_name(folder: Path) -> str:
    """A name that lasts, by which the broker keeps events for us while we are away."""
    path = folder / "dashboard-name"
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
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    return name


@contextlib.contextmanager
def _listen(wanted: DashboardSettings) -> Iterator[socket.socket]:
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            wanted.host, wanted.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
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


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _welcome(
    wanted: DashboardSettings,
    listener: socket.socket,
    password: Password,
    needs_none: bool,
    encrypted: bool,
) -> None:
    port = listener.getsockname()[1]
    host = wanted.host if wanted.host not in ("0.0.0.0", "::") else socket.gethostname()
    host = f"[{host}]" if ":" in host else host
    address = f"{'https' if encrypted else 'http'}://{host}:{port}"
    sys.stdout.write(f"Dashboard: {address}\n")
    if not password.is_set and not needs_none:
        sys.stdout.write(
            f"No password is set yet: open {address}/setup and give the code"
            f" {password.setup_code}\n"
        )
    sys.stdout.flush()
    if not encrypted and not wanted.proxies and not _is_loopback(wanted.host):
        log.warning(
            "passwords cross the network unencrypted: set dashboard.cert_file, or put a proxy"
            " that speaks TLS before it"
        )
