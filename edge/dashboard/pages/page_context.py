"""The context of the pages: the services that they use, and the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jinja2
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse

from edge import __version__
from edge.common.percentages import format_percent
from edge.config.door_screen import DoorScreenSettings
from edge.dashboard.access.hashing_thread import HashingThread
from edge.dashboard.access.known_browsers import KnownBrowsers
from edge.dashboard.access.link_tokens import LinkTokens
from edge.dashboard.access.login_attempts import LoginAttempts
from edge.dashboard.access.login_sessions import SESSION_COOKIE, LoginSessions
from edge.dashboard.access.password import Password
from edge.dashboard.base.display_names import display_name
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.live.device_state import SILENT_CONDITIONS
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.notify.notifications import Notifications
from edge.dashboard.pages import display_times
from edge.dashboard.picture_check.worker_client import WorkerClient

DASHBOARD_FOLDER = Path(__file__).resolve().parents[1]
#: Texts for the values of `label`; the same as `LABELS` in common.js.
LABELS = {
    "no_mask": "no mask",
    "incorrect_mask": "mask worn incorrectly",
    "mask": "mask",
    "unsure": "unsure",
}
#: Texts for the values of `ended_by`; None if no end was reported and the alert is not ongoing.
ENDINGS = {
    "masked": "mask put on",
    "left": "left",
    "shutdown": "device stopped",
    None: "end not reported",
}
#: Texts for the conditions of a device; the same as `CONDITIONS` in live_view.js.
CONDITIONS = {
    "online": "online",
    "offline": "offline",
    "stalled": "not responding",
    "trouble": "problem",
    "paused": "paused",
    "unknown": "unknown",
}
CONDITION_EXPLANATIONS = {
    "online": "The device works.",
    "trouble": "The device reports that its camera does not work.",
    "stalled": "The device is connected, but at least three of its reports are missing.",
    "paused": "Somebody has paused the monitoring, for example in Home Assistant.",
    "offline": "The device is not connected to the broker.",
    "unknown": "The dashboard has not received the state of the device yet.",
}
#: Pages without the navigation, which needs a log-in.
WITHOUT_NAVIGATION = ("/login", "/setup", "/display")
#: Path and title of each page in the navigation.
PAGES = (
    ("/", "Live"),
    ("/history", "History"),
    ("/health", "Health"),
    ("/notifications", "Notifications"),
    ("/check", "Check"),
)


@dataclass
class PageContext:
    """The services behind the pages, and the templates."""

    live_state: LiveState
    store: HistoryStore
    history: HistoryQueries
    password: Password
    login_sessions: LoginSessions
    known_browsers: KnownBrowsers
    hashing: HashingThread
    login_attempts: LoginAttempts
    picture_checker: WorkerClient
    notifications: Notifications
    #: The cameras that the Camera page shows, by the names of their devices.
    local_cameras: Mapping[str, LocalCamera] = field(default_factory=dict)
    #: The broker (`host:port`) and the first level of the topics, for the texts of empty pages.
    broker_address: str = ""
    topic_base: str = "maskpatrol"
    #: Removes devices from the lists; raises SQLAlchemyError.
    forget_devices: Callable[..., None] = lambda *devices: None
    #: The screens at the doors, and the tokens in their links.
    door_screen: DoorScreenSettings = field(default_factory=DoorScreenSettings)
    door_tokens: LinkTokens = field(kw_only=True)
    #: The tokens in the links of displays on walls.
    display_tokens: LinkTokens = field(kw_only=True)
    templates: jinja2.Environment = field(init=False)

    def __post_init__(self) -> None:
        """Load the templates; they escape every value."""
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(DASHBOARD_FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        pages = [*PAGES, ("/camera", "Camera")] if self.local_cameras else list(PAGES)
        self.templates.globals.update(
            version=__version__, pages=pages, labels=LABELS, endings=ENDINGS,
            conditions=CONDITIONS, condition_explanations=CONDITION_EXPLANATIONS,
            silent_conditions=SILENT_CONDITIONS,
            format_duration=display_times.format_duration, sentence=sentence,
            broker_address=self.broker_address, topic_base=self.topic_base,
            display_name=display_name, device_name=self.device_name, camera_name=self.camera_name,
            format_percent=format_percent,
        )  # fmt: skip

    def device_name(self, name: str) -> str:
        """Return how the pages name a device, which need not be in the lists any more."""
        known = self.live_state.device(name)
        return display_name(name, known.names.title if known else "")

    def camera_name(self, device: str, camera: str) -> str:
        """Return how the pages name a camera, by the title that it has now."""
        known = self.live_state.device(device)
        is_present = known is not None and known.names.camera.name == camera
        return display_name(camera, known.names.camera.title if known and is_present else "")

    def render(
        self, request: Request, template: str, status_code: int = 200, **values: Any
    ) -> HTMLResponse:
        """Return the page that `template` produces from `values`."""
        zone = display_times.request_zone(request)
        text = self.templates.get_template(template).render(
            path=request.url.path,
            format_time=lambda at_s: display_times.format_time(at_s, zone),
            zone=str(zone),
            logged_in=not request.scope["path"].startswith(WITHOUT_NAVIGATION),
            has_session=SESSION_COOKIE in request.cookies,
            **values,
        )
        return HTMLResponse(text, status_code)

    def render_turned_off(
        self, request: Request, page: Literal["camera", "snapshots"]
    ) -> HTMLResponse:
        """Return a page that tells how to turn on `page`, with the status 404."""
        return self.render(request, "turned_off.html", 404, page=page)

    def render_error(self, request: Request, status_code: int, text: str) -> HTMLResponse:
        """Return an error page with `text`."""
        return self.render(request, "error.html", status_code, text=text)


def sentence(text: str) -> str:
    """Return `text` with a capital first letter and a full stop, unless it ends like a sentence."""
    capitalised = text[:1].upper() + text[1:]
    return capitalised if capitalised.endswith((".", "?", "!", "…")) else f"{capitalised}."


def page_context(connection: HTTPConnection) -> PageContext:
    """Return the context of the application that serves `connection`."""
    context = connection.app.state.page_context
    assert isinstance(context, PageContext)
    return context
