"""`mask-patrol update`: install another release beside the current one, and keep it only if it
works."""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

from edge.common.errors import UsageError, UserError
from edge.common.signals import Handler, signal_handlers, stop
from edge.service import releases
from edge.service.bundle import Bundle, read_checksums, unpack
from edge.service.cameras import cameras_in_use, read_reports
from edge.service.online import wait_until_online
from edge.service.overview import read_state
from edge.service.read_only_root import root_is_read_only
from edge.service.release_key import HOW_TO_PIN, RELEASE_KEY, pinned_keys, require_signature
from edge.service.release_version import require_not_older
from edge.service.status import DeviceReport
from edge.service.systemd_unit import RELEASES, linked_release


def update(path: Path, within_s: float, allow_downgrade: bool = False) -> int:
    """Update to the bundle `path`; return the exit code.

    Raises UserError if the bundle is refused, or if the new release does not work; in that case,
    the old release runs again.
    """
    _require_installation()
    _require_writable_root()
    with releases.installation_lock():
        _require_no_trial()
        current = _current()
        releases.remove_old_releases()
        releases.require_free_space()
        with tempfile.TemporaryDirectory(prefix=releases.UNPACKED, dir=RELEASES) as folder:
            bundle = _unpack_verified(path, Path(folder))
            if bundle.machine != platform.machine():
                raise UsageError(f"the bundle is for {bundle.machine}, not {platform.machine()}")
            if bundle.version == current:
                _print(f"{current} runs already: nothing to do.")
                return 0
            if not allow_downgrade:
                require_not_older(bundle.version, current)
            releases.install_release(bundle.folder, bundle.version)
        try:
            _check(bundle.version)
        except UserError as error:
            releases.remove_release(bundle.version)
            raise UserError(f"{error}; {current} keeps running") from None
        return _switch(bundle.version, within_s)


def _unpack_verified(path: Path, folder: Path) -> Bundle:
    """Unpack the bundle `path`; raises UserError if it is damaged, or not signed as it must be."""
    _print(f"Verifying {path} …")
    keys = pinned_keys(RELEASE_KEY)
    checksums = read_checksums(path)
    if keys is not None:
        require_signature(path, checksums, keys)
    else:
        _print(
            "No release key is pinned, so anybody may have made this bundle. To accept only bundles"
            f" of one maker, pin the maker's public key: {HOW_TO_PIN}"
        )
    return unpack(path, folder, checksums=checksums)


def _check(version: str) -> None:
    """Check a release with the settings of each camera; raises UserError if one check fails."""
    cameras = cameras_in_use()
    for camera in cameras:
        whose = f" of {camera.name}" if len(cameras) > 1 else ""
        _print(f"Checking {version} with the bundled clip as the camera{whose} …")
        if not releases.check_release(version, camera):
            settings = f" with {camera.configuration}" if len(cameras) > 1 else ""
            raise UserError(f"{version} failed its check{settings}")


def roll_back(within_s: float) -> int:
    """Return to the previous release on request; return the exit code. Raises UserError."""
    _require_installation()
    _require_writable_root()
    with releases.installation_lock():
        _require_no_trial()
        previous = linked_release("previous")
        if previous in (None, _current()) or previous not in releases.complete_releases():
            raise UserError(f"there is no release before {_current()} to return to")
        return _switch(previous, within_s)


def set_up_outputs() -> None:
    """Give the units of the release that runs what the present settings need, such as the pins of
    `[[output]]`, and restart the services. Raises UserError.
    """
    _require_installation("outputs setup")
    _require_writable_root()
    with releases.installation_lock():
        _require_no_trial()
        releases.activate(_current())
        releases.restart_services(cameras_in_use())


def settle(within_s: float) -> int:
    """End a trial that was interrupted, for example by a power cut; return the exit code.

    The new release is kept if it comes online. Otherwise the old one is activated again.
    """
    _require_installation()
    with releases.installation_lock():
        fallback, current = releases.trial_fallback(), _current()
        if fallback is None:
            return 0
        if fallback == current:
            # The interruption came before the switch or after the rollback. The units may be those
            # of either release, so activate `fallback` completely.
            releases.activate(fallback)
            if linked_release("previous") == fallback:
                releases.set_previous(None)
            releases.end_trial()
            releases.remove_old_releases()
            releases.restart_services(cameras_in_use())
            _print(f"The update was interrupted; {fallback} keeps running.")
            return 0
        _print(f"The trial of {current} was interrupted; waiting for it to come online …")
        previous = linked_release("previous")
        return _try(current, fallback, None if previous == fallback else previous, within_s, {})


def _switch(version: str, within_s: float) -> int:
    current, previous = _current(), linked_release("previous")
    before = _reports_before()
    _print(f"Switching from {current} to {version} …")
    releases.begin_trial(current)
    return _try(version, current, previous, within_s, before)


def _reports_before() -> dict[str, DeviceReport]:
    """Return the reports of all cameras before a switch.

    If the status of the running release cannot be read, the report has no status: that is no
    reason to refuse the switch.
    """
    return {camera.name: read_state(camera).report for camera in cameras_in_use()}


def _try(
    version: str,
    fallback: str,
    previous: str | None,
    within_s: float,
    before: Mapping[str, DeviceReport],
) -> int:
    """Run `version` and keep it if it comes online; otherwise return to `fallback`.

    `previous` is the release before `fallback`, and `before` the reports before the switch. Returns
    the exit code; raises UserError after returning to `fallback`.
    """
    started_s = time.monotonic()
    try:
        with _signals(stop):
            releases.activate(version)
            releases.restart_services(cameras_in_use())
            failure = _wait(before, within_s)
    except UserError as error:
        failure = str(error)
    except Exception as error:  # any error must lead to the rollback
        failure = f"{type(error).__name__}: {error}"
    with _signals(signal.SIG_IGN):
        if failure is not None:
            _go_back(version, fallback, previous, failure, within_s)
        releases.end_trial()
        releases.remove_old_releases()
    elapsed_s = time.monotonic() - started_s
    _print(f"{version} is online after {elapsed_s:.0f} s; {fallback} stays installed.")
    return 0


def _go_back(
    version: str, fallback: str, previous: str | None, failure: str, within_s: float
) -> NoReturn:
    """Activate `fallback` again and delete `version`; raises UserError with the outcome."""
    _print(f"{version} did not come online: {failure}")
    _print(f"Returning to {fallback} …")
    if version != previous:
        # If a power cut interrupts the rollback, no later rollback must return to this release.
        releases.mark_incomplete(version)
    releases.activate(fallback)
    releases.set_previous(previous)
    releases.restart_services(cameras_in_use())
    releases.end_trial()
    releases.remove_release(version)
    problem = _wait({}, within_s)
    if problem is not None:
        raise UserError(
            f"{version} failed, and {fallback}, which runs again, is not online: {problem}"
        )
    raise UserError(f"{version} did not come online ({failure}); {fallback} runs again")


def _wait(before: Mapping[str, DeviceReport], within_s: float) -> str | None:
    cameras = cameras_in_use()
    return wait_until_online(before, within_s, lambda: read_reports(cameras))


def _signals(handler: Handler) -> AbstractContextManager[None]:
    """Return a context that handles SIGINT and SIGTERM with `handler`, and ignores SIGHUP.

    A lost SSH connection sends SIGHUP, and must not leave a trial unfinished.
    """
    return signal_handlers(
        {signal.SIGHUP: signal.SIG_IGN, signal.SIGINT: handler, signal.SIGTERM: handler}
    )


def _require_no_trial() -> None:
    if (fallback := releases.trial_fallback()) is not None:
        raise UserError(
            f"an update from {fallback} is on trial: end it with sudo mask-patrol update --settle"
        )


def _current() -> str:
    current = linked_release("current")
    if current is None:
        raise UserError("no release is installed: install.sh of a bundle installs one")
    return current


def _require_installation(command: str = "update …") -> None:
    """Raise UsageError unless the service is installed and this process runs as root."""
    if linked_release("current") is None:
        raise UsageError("the service is not installed: install.sh of a bundle installs it")
    if os.geteuid() != 0:
        raise UsageError(f"must be run as root: sudo mask-patrol {command}")


def _require_writable_root() -> None:
    """Raise UserError if the next boot would discard the update."""
    if root_is_read_only():
        raise UserError(
            "the root is read-only: run sudo mask-patrol-read-only off, reboot, update, then run"
            " sudo mask-patrol-read-only on"
        )


def _print(line: str) -> None:
    """Print a line of progress without buffering, as subprocesses print in between.

    If the terminal is gone, further output is discarded and the update continues.
    """
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
