"""The services behind the dashboard's pages, with an empty database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.config.settings import load_settings
from edge.dashboard.access.attempt_store import AttemptStore
from edge.dashboard.access.hashing_thread import HashingThread
from edge.dashboard.access.known_browsers import KnownBrowsers
from edge.dashboard.access.link_tokens import LinkTokens
from edge.dashboard.access.login_attempts import LoginAttempts
from edge.dashboard.access.login_sessions import LoginSessions
from edge.dashboard.access.password import Password
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.notify.notifications import Notifications
from edge.dashboard.pages.page_context import PageContext
from edge.dashboard.picture_check.worker_client import WorkerClient


@contextmanager
def page_context_in(folder: Path) -> Iterator[PageContext]:
    """A page context with its database, password and configuration in `folder`; no daemon runs."""
    engine = open_database(f"sqlite:///{folder}/history.sqlite3")
    config = folder / "door.toml"
    config.write_text(
        f'[snapshot]\nenabled = true\npath = "{folder}/snapshots"\n'
        f'[camera]\npreview = true\npreview_socket = "{folder}/preview"\n'
    )
    settings = load_settings(config)
    password = Password(folder / "password")
    hashing = HashingThread()
    attempts = AttemptStore(folder / "attempts.sqlite3")
    live = LiveState()
    context = PageContext(
        live,
        HistoryStore(engine),
        HistoryQueries(engine),
        password,
        LoginSessions(engine, 60.0),
        KnownBrowsers(password),
        hashing,
        LoginAttempts(hashing, attempts),
        WorkerClient(settings),
        Notifications(engine, live),
        {settings.device: LocalCamera(settings)},
        "broker.example:1883",
        "maskpatrol",
        door_tokens=LinkTokens(folder / "door-links"),
        display_tokens=LinkTokens(folder / "display-links"),
    )
    yield context
    context.picture_checker.stop()
    hashing.stop()
    attempts.close()
    engine.dispose()
