"""`mask-patrol update`: another version beside the one that runs, kept only if it works."""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from edge.common.errors import UsageError, UserError
from edge.service import releases
from edge.service.bundle import unpack
from edge.service.read_only_root import root_is_read_only
from edge.service.status import Report, lines, report
from edge.service.systemd_unit import RELEASES, release, service_state

#: For how long a version must stay well before it is kept.
STEADY_S = 5.0
POLL_S = 0.5


class _StoppedError(UserError):
    """Somebody asked us to stop in the middle of a trial."""


def update(path: Path, within_s: float) -> int:
    """Update to the bundle `path`; returns the exit code.

    Raises UserError, with the old version running, when the new one is no good.
    """
    _require_installation()
    _require_lasting_root()
    with releases.alone():
        _settle_first()
        before = _current()
        releases.tidy()
        releases.require_room()
        with tempfile.TemporaryDirectory(prefix=releases.UNPACKED, dir=RELEASES) as folder:
            say(f"Checking {path} …")
            bundle = unpack(path, Path(folder))
            if bundle.machine != platform.machine():
                raise UsageError(f"the bundle is for {bundle.machine}, not {platform.machine()}")
            if bundle.version == before:
                say(f"{before} is what runs: nothing to do.")
                return 0
            releases.install_beside(bundle.folder, bundle.version)
        say(f"Trying the parts of {bundle.version}, with the bundled clip for a camera …")
        if not releases.check(bundle.version):
            releases.forget(bundle.version)
            raise UserError(f"{bundle.version} does not pass its check; {before} goes on running")
        return _switch(bundle.version, within_s)


def roll_back(within_s: float) -> int:
    """Return to the version before, by hand; returns the exit code. Raises UserError."""
    _require_installation()
    _require_lasting_root()
    with releases.alone():
        _settle_first()
        before = release("previous")
        if before in (None, _current()) or before not in releases.installed():
            raise UserError(f"there is no version before {_current()} to go back to")
        return _switch(before, within_s)


def settle(within_s: float) -> int:
    """After a cut in a trial: see whether the new version works, and go back if not."""
    _require_installation()
    with releases.alone():
        before, current = releases.trial(), _current()
        if before is None:
            return 0
        if before == current:  # it had not been switched yet, or just gone back: units and all
            releases.activate(before)
            if release("previous") == before:
                releases.point_previous(None)
            releases.end_trial()
            releases.tidy()
            releases.restart()
            say(f"The update was cut off; {before} goes on running.")
            return 0
        say(f"The trial of {current} was cut off; watching it …")
        was_before = release("previous")
        return _try(current, before, None if was_before == before else was_before, within_s, None)


def _switch(version: str, within_s: float) -> int:
    before, previous = _current(), release("previous")
    was = _as_it_is()
    say(f"Switching from {before} to {version} …")
    releases.begin_trial(before)
    return _try(version, before, previous, within_s, was)


def _as_it_is() -> Report:
    """The report before a switch; without a status where that cannot be read, which is no reason
    to keep what wrote it."""
    try:
        return report()
    except UserError:
        return Report(service_state(), None, None, release("current"), release("previous"))


def _try(
    version: str, before: str, previous: str | None, within_s: float, was: Report | None
) -> int:
    """Run `version`, and keep it if it comes online; else go back to `before`, before which there
    was `previous`. Returns the exit code; raises UserError after going back."""
    started_s = time.monotonic()
    try:
        with _signals(_stop):
            releases.activate(version)
            releases.restart()
            failure = wait_until_online(was, within_s)
    except UserError as error:
        failure = str(error)
    except Exception as error:  # whatever it is, the door is not left to what is on trial
        failure = f"{type(error).__name__}: {error}"
    with _signals(signal.SIG_IGN):
        if failure is not None:
            _go_back(version, before, previous, failure, within_s)
        releases.end_trial()
        releases.tidy()
    say(f"{version} is online after {time.monotonic() - started_s:.0f} s; {before} is kept.")
    return 0


def _go_back(
    version: str, before: str, previous: str | None, failure: str, within_s: float
) -> NoReturn:
    """Make `before` run again and forget `version`; raises UserError on what came of it."""
    say(f"{version} did not come online: {failure}")
    say(f"Going back to {before} …")
    if version != previous:
        # A cut from here on must not leave it as the one to go back to.
        releases.spoil(version)
    releases.activate(before)
    releases.point_previous(previous)
    releases.restart()
    releases.end_trial()
    releases.forget(version)
    still = wait_until_online(None, within_s)
    if still is not None:
        raise UserError(f"{version} failed, and {before}, which runs again, is not online: {still}")
    raise UserError(f"{version} did not come online ({failure}); {before} runs again")


def wait_until_online(
    was: Report | None,
    within_s: float,
    look: Callable[[], Report] = report,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> str | None:
    """Wait until the service, started anew, is online and stays so for `STEADY_S`; None then, else
    what is wrong when `within_s` are over.

    `was`: how it was before; it must be another process, and a broker or a camera that was away
    may be, as may an outbox that was not on the disk.
    """
    until_s = clock() + within_s
    well_since_s: float | None = None
    process = 0
    problem, fall = "it does not run", ""
    while clock() < until_s:
        try:
            now = look()
        except UserError as error:  # it may be half a status, or one of the process before
            well_since_s, problem = None, str(error)
            wait(POLL_S)
            continue
        problem = trouble(was, now) or ""
        if now.service is not None and now.service.fell:
            fall = problem  # tells more than how far the next attempt has come
        same = now.service is not None and now.service.process == process
        if problem or not same:
            well_since_s = None
            process = now.service.process if now.service else 0
        if not problem:
            well_since_s = clock() if well_since_s is None else well_since_s
            if clock() - well_since_s >= STEADY_S:
                return None
        wait(POLL_S)
    return fall or problem or "it does not stay online"


def trouble(was: Report | None, now: Report) -> str | None:
    """Why the service is not online as `now` tells; None when it is."""
    service, status = now.service, now.status
    if service is None:
        return "systemd does not answer"
    if not service.running or status is None:
        return next(line for line in lines(now) if line.startswith("service")).split(None, 1)[1]
    if was is not None and was.service is not None and was.service.process == service.process:
        return "the old process still runs"
    if status["pid"] != service.process or not now.fresh:
        return "it does not tell how it is"
    return _illness(status, _away(was))


def _away(was: Report | None) -> set[str]:
    """What was not well before: of `broker`, `outbox`, `camera`."""
    if was is None or was.status is None:
        return set()
    health = was.status["health"]
    there = {
        "broker": health.get("connected", True),
        "outbox": health.get("outbox_on_disk", True),
        "camera": health.get("camera", "ok") == "ok",
    }
    return {part for part, well in there.items() if not well}


def _illness(status: dict[str, Any], away: set[str]) -> str | None:
    """What is wrong by the daemon's own account, which may be that of another version: of that,
    only what is needed must be there."""
    health = status["health"]
    if "camera" not in health:
        return "it tells how it is as another version does, and cannot be judged"
    if "broker" not in away and not health.get("connected", False):
        failure = status.get("broker_failure") or "trying"
        return f"it is not connected to the broker: {failure}"
    if "outbox" not in away and not health.get("outbox_on_disk", True):
        return "its outbox is not on the disk"
    if "camera" not in away and health["camera"] != "ok":
        warnings = health.get("warnings")
        told = ", ".join(map(str, warnings)) if isinstance(warnings, list) else ""
        return f"its camera is {health['camera']}: {told or 'waiting'}"
    return None


@contextmanager
def _signals(stop: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """A lost SSH connection must not leave a trial open; who else asks us to stop is `stop`'s."""
    wanted = {signal.SIGHUP: signal.SIG_IGN, signal.SIGINT: stop, signal.SIGTERM: stop}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise _StoppedError(f"stopped by {signal.Signals(number).name}")


def _settle_first() -> None:
    if (before := releases.trial()) is not None:
        raise UserError(
            f"an update from {before} is on trial: sudo mask-patrol update --settle ends that first"
        )


def _current() -> str:
    current = release("current")
    if current is None:
        raise UserError("no version is installed here: install.sh of a bundle installs one")
    return current


def _require_installation() -> None:
    """Raises UsageError unless we are root on a device with the service."""
    if release("current") is None:
        raise UsageError("not installed as a service here: install.sh of a bundle does that")
    if os.geteuid() != 0:
        raise UsageError("it must be run as root: sudo mask-patrol update …")


def _require_lasting_root() -> None:
    """Raises UserError where the next start would undo it all."""
    if root_is_read_only():
        raise UserError(
            "the root is read-only: sudo mask-patrol-read-only off, start again, update, then"
            " sudo mask-patrol-read-only on"
        )


def say(line: str) -> None:
    """Progress, at once: it may take minutes, and what we call writes in between. A terminal that
    has gone away is no reason to stop."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
