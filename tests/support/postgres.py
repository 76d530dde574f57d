"""A real PostgreSQL server on a free port, in a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.brokers import free_port

PATIENCE_S = 60
#: Debian keeps the server's programs here, outside of PATH.
DEBIAN = Path("/usr/lib/postgresql")


def _bin() -> Path | None:
    if found := shutil.which("initdb"):
        return Path(found).parent
    return next(
        (p for p in sorted(DEBIAN.glob("*/bin"), reverse=True) if (p / "initdb").exists()), None
    )


def why_no_postgres() -> str:
    """Why there can be none here; empty when there can."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (the extra `postgres`)"
    if _bin() is None:
        return "no PostgreSQL server is installed (apt install postgresql)"
    if os.geteuid() == 0 and not _has_nobody():
        return "PostgreSQL does not run as root, and there is no other user"
    return ""


def _has_nobody() -> bool:
    try:
        pwd.getpwnam("nobody")
    except KeyError:
        return False
    return True


class Postgres:
    """Runs as long as `with` lasts; `address` is for SQLAlchemy."""

    def __init__(self) -> None:
        self._port = free_port()
        self.address = f"postgresql://mask@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Postgres:
        # Not in pytest's folder, which only its owner may enter: a server never runs as root.
        self._folder = Path(tempfile.mkdtemp(prefix="mask-patrol-postgres-"))
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        self._do("initdb", "-D", str(self._folder), "-U", "mask", "-A", "trust", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        options = f"-p {self._port} -h 127.0.0.1 -k '' -F"
        self._do(
            "pg_ctl", "-D", str(self._folder), "-o", options, "-w",
            "-l", str(self._folder / "log"), "start",
        )  # fmt: skip

    def stop(self) -> None:
        self._do("pg_ctl", "-D", str(self._folder), "-m", "immediate", "-w", "stop")

    def _do(self, program: str, *arguments: str) -> None:
        folder = _bin()
        assert folder is not None
        subprocess.run(
            [str(folder / program), *arguments],
            check=True,
            timeout=PATIENCE_S,
            stdout=subprocess.DEVNULL,
            user="nobody" if os.geteuid() == 0 else None,
            cwd="/",
        )
