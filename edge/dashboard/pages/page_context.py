"""What every page is made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse

from edge import __version__
from edge.dashboard.access.login_sessions import COOKIE, LoginSessions
from edge.dashboard.access.login_throttle import LoginThrottle
from edge.dashboard.access.password import Password
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages import display_times
from edge.dashboard.picture_check.worker_client import WorkerClient

FOLDER = Path(__file__).resolve().parents[1]
LABELS = {"no_mask": "no mask", "incorrect_mask": "mask worn wrong", "mask": "mask"}
ENDINGS = {
    "masked": "put a mask on",
    "left": "left",
    "shutdown": "device stopped",
    None: "no end told",
}
#: Address, what it is called.
PAGES = (("/", "Live"), ("/history", "History"), ("/health", "Health"), ("/check", "Check"))


@dataclass
class PageContext:
    """The services behind the pages, and the templates."""

    board: LiveState
    store: HistoryStore
    history: HistoryQueries
    password: Password
    sessions: LoginSessions
    attempts: LoginThrottle
    inspector: WorkerClient
    camera: LocalCamera | None = None
    #: What takes devices off the list; raises SQLAlchemyError.
    forget: Callable[..., None] = lambda *devices: None
    templates: jinja2.Environment = field(init=False)

    def __post_init__(self) -> None:
        """Load the templates; every value in them is escaped."""
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        pages = [*PAGES, ("/camera", "Camera")] if self.camera else list(PAGES)
        self.templates.globals.update(
            version=__version__, pages=pages, labels=LABELS, endings=ENDINGS,
            duration=display_times.duration,
        )  # fmt: skip

    def page(
        self, request: Request, template: str, status_code: int = 200, **values: Any
    ) -> HTMLResponse:
        """The page that `template` makes of `values`."""
        zone = display_times.zone_of(request.cookies.get(display_times.COOKIE))
        text = self.templates.get_template(template).render(
            path=request.url.path,
            shown=lambda at_s: display_times.shown(at_s, zone),
            zone=str(zone),
            logged_in=not request.scope["path"].startswith(("/login", "/setup")),
            has_session=COOKIE in request.cookies,
            **values,
        )
        return HTMLResponse(text, status_code)


def page_context(connection: HTTPConnection) -> PageContext:
    """The site that a request is for."""
    site = connection.app.state.site
    assert isinstance(site, PageContext)
    return site
