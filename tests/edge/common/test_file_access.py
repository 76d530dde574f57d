"""Files of another user: the reason names the file, its owner and the command that helps."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from edge.common.file_access import access_problem
from edge.outbox.outbox import Outbox

OTHER_ACCOUNT = 65534
# Opens an outbox as another user, who may not read Python's own files: all are loaded before.
AS_OTHER = """
import encodings.ascii, os, sys
from pathlib import Path
from edge.outbox.outbox import Outbox
os.setgroups([])
os.setresgid(*[65534] * 3)
os.setresuid(*[65534] * 3)
outbox = Outbox(Path(sys.argv[1]), 10)
print(outbox.warning)
outbox.close()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@as_root
@pytest.mark.parametrize(
    ("folder_mode", "named", "fix"),
    [
        (0o700, "the folder {folder} belongs to the user root", "sudo chown -R {user} {folder}"),
        (0o755, "{file} belongs to the user root", "sudo chown -R {user} {folder}"),
        (0o777, "{file} belongs to the user root", "sudo chown {user} {file}"),
    ],
)
def test_outbox_of_another_user(tmp_path: Path, folder_mode: int, named: str, fix: str) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    file = folder / "outbox.sqlite3"
    Outbox(file, 10).close()
    file.chmod(0o600)
    folder.chmod(folder_mode)
    done = subprocess.run(
        [sys.executable, "-c", AS_OTHER, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    user = pwd.getpwuid(OTHER_ACCOUNT).pw_name
    values = {"folder": folder, "file": file, "user": user}
    assert named.format(**values) in done.stdout, done
    assert f"the user {user} may not" in done.stdout
    assert done.stdout.strip().endswith(fix.format(**values))
    assert "disk I/O error" not in done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use all files")
def test_own_file_with_a_mode_that_forbids_it(tmp_path: Path) -> None:
    file = tmp_path / "it's mine"
    file.touch(0o400)
    problem = access_problem([file])
    assert problem is not None
    assert problem.endswith(f"""chmod u+rw '{tmp_path}/it'"'"'s mine'""")


def test_files_that_may_be_used_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert access_problem([tmp_path / "a", tmp_path / "missing" / "deep", tmp_path]) is None
    assert access_problem([Path("/proc/version"), Path("/sys/none")]) is None
