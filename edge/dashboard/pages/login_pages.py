"""Logging in and out, and the first password."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.common.errors import UserError
from edge.dashboard.access.access import is_secure
from edge.dashboard.access.login_sessions import COOKIE, MAX_SESSION_S
from edge.dashboard.pages.page_context import PageContext, page_context

log = logging.getLogger(__name__)

MAX_FORM_BYTES = 8 * 1024
#: All of a form must have come by then.
FORM_S = 10.0


async def login(request: Request) -> Response:
    """The form, and what it sends."""
    site = page_context(request)
    if not site.password.is_set:
        return RedirectResponse("/setup", 303)
    next_page = _local(request.query_params.get("next", "/"))
    if request.method != "POST":
        return site.page(request, "login.html", next=next_page, error="")
    form = await _form(request)
    address = _address(request)
    wait_s = site.attempts.begin(address, time.monotonic())
    if wait_s > 0.0:
        return _slow_down(site, request, "login.html", wait_s, next=next_page)
    if not await run_in_threadpool(site.password.matches, form.get("password", "")):
        log.warning("a wrong password from %s", address)
        return site.page(
            request, "login.html", 403, next=next_page, error="That is not the password."
        )
    site.attempts.right(address, time.monotonic())
    return await _enter(site, request, next_page)


async def setup(request: Request) -> Response:
    """The first password: who sets it must know the code that was shown at the start."""
    site = page_context(request)
    if site.password.is_set:
        return RedirectResponse("/login", 303)
    if request.method != "POST":
        return site.page(request, "setup.html", error="")
    form = await _form(request)
    address = _address(request)
    wait_s = site.attempts.begin(address, time.monotonic())
    if wait_s > 0.0:
        return _slow_down(site, request, "setup.html", wait_s)
    if not site.password.code_matches(form.get("code", "")):
        return site.page(request, "setup.html", 403, error="That is not the code.")
    site.attempts.right(address, time.monotonic())
    try:
        if form.get("password") != form.get("again"):
            raise UserError("the two passwords differ")
        await run_in_threadpool(site.password.set, form.get("password", ""))
    except UserError as error:
        return site.page(request, "setup.html", 400, error=f"{error}.".capitalize())
    log.info("the password was set by %s", address)
    return await _enter(site, request, "/")


async def logout(request: Request) -> Response:
    """End the session."""
    token = request.cookies.get(COOKIE, "")
    if token:
        await run_in_threadpool(page_context(request).sessions.end, token)
        request.app.state.live.recheck_access()
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=is_secure(request.scope))
    return response


async def _enter(site: PageContext, request: Request, page: str) -> Response:
    token = await run_in_threadpool(site.sessions.begin, site.password.tag)
    response = RedirectResponse(page, 303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(MAX_SESSION_S),
        httponly=True,
        samesite="lax",
        secure=is_secure(request.scope),
    )
    return response


def _slow_down(
    site: PageContext, request: Request, template: str, wait_s: float, **values: str
) -> Response:
    seconds = math.ceil(wait_s)
    response = site.page(
        request, template, 429, error=f"Too many attempts: try again in {seconds} s.", **values
    )
    response.headers["retry-after"] = str(seconds)
    return response


async def _form(request: Request) -> dict[str, str]:
    try:
        body = await asyncio.wait_for(_body(request), FORM_S)
    except TimeoutError:
        raise HTTPException(408, f"The form did not arrive within {FORM_S:g} s") from None
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return b""
    return bytes(body)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _local(page: str) -> str:
    """A page of ours to go on to: never another site."""
    fine = page.startswith("/") and page.replace("/", "").replace("-", "").isalnum()
    return page if fine and not page.startswith("//") else "/"
