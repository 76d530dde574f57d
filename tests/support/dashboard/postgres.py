"""A real PostgreSQL server on a free port, with its data in a temporary folder."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import sqlalchemy as sa

from tests.support.ports import free_port

TIMEOUT_S = 60
#: Debian installs the server's programs here, outside of PATH.
DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")


def _programs() -> Path | None:
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = sorted(DEBIAN_PROGRAMS.glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def why_no_postgres() -> str:
    """Return why no server can run on this machine, or an empty string if a server can run."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (the extra `postgres`)"
    if _programs() is None:
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
    """A context manager that runs the server; `address` is an SQLAlchemy URL."""

    def __init__(self) -> None:
        self._port = free_port()
        self.address = f"postgresql://mask@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Postgres:
        # If pytest runs as root, the server runs as `nobody`, who cannot enter pytest's temporary
        # folder. So the data is in a folder of its own.
        self._folder = Path(tempfile.mkdtemp(prefix="mask-patrol-postgres-"))
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        self._execute("initdb", "-D", str(self._folder), "-U", "mask", "-A", "trust", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        options = f"-p {self._port} -h 127.0.0.1 -k '' -F"
        self._execute(
            "pg_ctl", "-D", str(self._folder), "-o", options, "-w",
            "-l", str(self._folder / "log"), "start",
        )  # fmt: skip

    def stop(self) -> None:
        self._execute("pg_ctl", "-D", str(self._folder), "-m", "immediate", "-w", "stop")

    def empty_database(self) -> str:
        """Delete everything in the running server's database and return its address."""
        url = sa.make_url(self.address).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url)
        with engine.begin() as db:
            db.execute(sa.text("DROP SCHEMA public CASCADE"))
            db.execute(sa.text("CREATE SCHEMA public"))
        engine.dispose()
        return self.address

    def _execute(self, program: str, *arguments: str) -> None:
        folder = _programs()
        assert folder is not None
        subprocess.run(
            [str(folder / program), *arguments],
            check=True,
            timeout=TIMEOUT_S,
            stdout=subprocess.DEVNULL,
            user="nobody" if os.geteuid() == 0 else None,
            cwd="/",
        )
