"""The log-in page, the page for the first password, and logging out."""

from __future__ import annotations

import asyncio
import logging
import math
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.common.errors import UserError
from edge.dashboard.access.access import is_secure, own_address
from edge.dashboard.access.hashing_thread import TooManyAttemptsError
from edge.dashboard.access.known_browsers import BROWSER_COOKIE, MAX_KNOWN_S
from edge.dashboard.access.login_attempts import Client
from edge.dashboard.access.login_sessions import MAX_SESSION_S, SESSION_COOKIE
from edge.dashboard.pages.page_context import PageContext, page_context, sentence
from edge.dashboard.pages.request_body import BodyTooLargeError, read_body

log = logging.getLogger(__name__)

MAX_FORM_BYTES = 8 * 1024
LOGIN_PATH = "/login"
#: A complete form must arrive within this time.
FORM_TIMEOUT_S = 10.0
#: A code is shown again up to this length; a real one is shorter.
MAX_CODE_LENGTH = 40


async def login(request: Request) -> Response:
    """Return the log-in form, or check the password that it sends."""
    context = page_context(request)
    if not context.password.is_set:
        return RedirectResponse("/setup", 303)
    next_page = _next_page(request)
    if request.method != "POST":
        return context.render(request, "login.html", next=next_page, error="")
    password = (await _read_form(request)).get("password", "")
    client = Client(
        _client_address(request),
        context.known_browsers.identify(request.cookies.get(BROWSER_COOKIE, "")),
    )
    try:
        is_right = await context.login_attempts.check(
            client, lambda: context.password.matches(password), "password"
        )
    except TooManyAttemptsError as error:
        return _too_many_attempts(context, request, "login.html", error.wait_s, next=next_page)
    if not is_right:
        return context.render(request, "login.html", 403, next=next_page, error="Wrong password.")
    return await _start_session(context, request, next_page)


async def setup(request: Request) -> Response:
    """Return the form for the first password, or set the password that it sends.

    The form must contain the setup code that the dashboard printed when it started. A refused form
    is shown again with the code, as browsers keep neither the code nor the passwords.
    """
    context, next_page = page_context(request), _next_page(request)
    if context.password.is_set:
        return RedirectResponse("/login", 303)
    if request.method != "POST":
        return context.render(
            request, "setup.html", error="", next=next_page, code="", focus="code"
        )
    form = await _read_form(request)
    client = Client(_client_address(request))
    code, password = form.get("code", ""), form.get("password", "")
    shown = {"next": next_page, "code": code[:MAX_CODE_LENGTH], "focus": "code"}
    try:
        is_right = await context.login_attempts.check(
            client, lambda: context.password.setup_code_matches(code), "setup code"
        )
        if not is_right:
            return context.render(request, "setup.html", 403, error="Wrong code.", **shown)
        if password != form.get("again"):
            raise UserError("the two passwords differ")
        await context.hashing.run(client.counted, lambda: context.password.set(password), True)
    except TooManyAttemptsError as error:
        return _too_many_attempts(context, request, "setup.html", error.wait_s, **shown)
    except UserError as error:
        shown["focus"] = "password"
        return context.render(request, "setup.html", 400, error=sentence(str(error)), **shown)
    log.info("the password was set by %s", client.shown)
    return await _start_session(context, request, next_page)


async def logout(request: Request) -> Response:
    """End the login session."""
    token = request.cookies.get(SESSION_COOKIE, "")
    if token:
        await run_in_threadpool(page_context(request).login_sessions.delete, token)
        request.app.state.live.recheck_access()
    response = RedirectResponse("/login", 303)
    response.delete_cookie(
        SESSION_COOKIE, httponly=True, samesite="lax", secure=is_secure(request.scope)
    )
    return response


async def _start_session(context: PageContext, request: Request, page: str) -> Response:
    """Start a login session, remember the browser, and redirect to `page`."""
    token = await run_in_threadpool(context.login_sessions.create, context.password.tag)
    response = RedirectResponse(page, 303)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(MAX_SESSION_S),
        httponly=True,
        samesite="lax",
        secure=is_secure(request.scope),
    )
    response.set_cookie(
        BROWSER_COOKIE,
        context.known_browsers.issue(),
        max_age=int(MAX_KNOWN_S),
        path=LOGIN_PATH,
        httponly=True,
        samesite="strict",
        secure=is_secure(request.scope),
    )
    return response


def _too_many_attempts(
    context: PageContext, request: Request, template: str, wait_s: float, **values: str
) -> Response:
    seconds = math.ceil(wait_s)
    response = context.render(
        request, template, 429, error=f"Too many attempts: try again in {seconds} s.", **values
    )
    response.headers["retry-after"] = str(seconds)
    return response


async def _read_form(request: Request) -> dict[str, str]:
    """Return the fields of the form; none if it is too large or malformed."""
    try:
        body = await asyncio.wait_for(read_body(request, MAX_FORM_BYTES), FORM_TIMEOUT_S)
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except TimeoutError:
        raise HTTPException(408, f"The form did not arrive within {FORM_TIMEOUT_S:g} s") from None
    except (BodyTooLargeError, ValueError):
        return {}
    return {name: values[0] for name, values in fields.items()}


def _next_page(request: Request) -> str:
    """Return the page that the user wanted before the log-in."""
    return own_address(request.query_params.get("next", "/"))


def _client_address(request: Request) -> str:
    return request.client.host if request.client else ""


ROUTES = (
    Route(LOGIN_PATH, login, methods=["GET", "POST"]),
    Route("/setup", setup, methods=["GET", "POST"]),
    Route("/logout", logout, methods=["POST"]),
)
