"""The commit of the checkout, from which a release is built."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from bundle.errors import BundleError
from bundle.wheels import ROOT


@dataclass(frozen=True)
class Commit:
    """A commit: its hash, and the time at which it was made, in seconds since 1970."""

    digest: str
    time_s: int


def read_commit() -> Commit:
    """Return the commit of the checkout.

    Raises BundleError if the checkout is no clone, or contains anything that is not committed.
    """
    if _git("status", "--porcelain"):
        raise BundleError(
            "a release is built from a commit, and this clone has changes: commit or remove what"
            " git status lists"
        )
    digest, time_s = _git("log", "-1", "--format=%H %ct").split()
    return Commit(digest, int(time_s))


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BundleError(f"git cannot be run: {error.strerror}") from None
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["git failed"])[0]
        raise BundleError(f"a release is built from a clone of the repository: {reason}")
    return result.stdout
