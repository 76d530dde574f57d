"""Files of another user: the reason names the file, its owner and the command that helps."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from edge.common.file_access import access_problem, read_problem, write_problem
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


def let_others_in(folder: Path) -> None:
    """Let other users enter `folder`, through those above it that pytest has made for root only."""
    folder.chmod(0o755)
    for parent in folder.parents:
        mode = parent.stat().st_mode & 0o777
        if mode & 0o005 != 0o005:
            parent.chmod(mode | 0o055)


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
    let_others_in(tmp_path)
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


# Prints the problems as another user, of reading and of writing each path.
ACCESS_AS_OTHER = """
import os, pwd, sys
from pathlib import Path
from edge.common.file_access import access_problem, read_problem
os.setgroups([])
os.setresgid(*[65534] * 3)
os.setresuid(*[65534] * 3)
for path in map(Path, sys.argv[1:]):
    print(read_problem(path), access_problem([path]), sep="\\n")
"""


def problems_of_other(*paths: Path) -> list[str]:
    command = [sys.executable, "-c", ACCESS_AS_OTHER, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@as_root
def test_no_folder_of_the_system_is_given_away(tmp_path: Path) -> None:
    # Each of these folders exists on every Linux system, and the other account may not write there.
    for name in ("/", "/var/lib", "/usr/local", "/etc", "/home", "/opt", "/root"):
        _, problem = problems_of_other(Path(name) / "outbox.sqlite3")
        assert f"the folder {name} belongs to the user root" in problem
        assert "chown" not in problem
        assert "choose a place in a folder that belongs to" in problem


@as_root
def test_missing_folder_is_created_and_not_the_one_above_it_given_away() -> None:
    user = pwd.getpwuid(OTHER_ACCOUNT).pw_name
    _, problem = problems_of_other(Path("/var/lib/it's missing/a/outbox.sqlite3"))
    assert "chown" not in problem
    assert problem.endswith(f"""sudo install -d -o {user} '/var/lib/it'"'"'s missing/a'""")


@as_root
def test_file_that_may_not_be_read_keeps_its_owner(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o700)
    (closed / "clip.mp4").touch()
    secret = tmp_path / "secret.toml"
    secret.touch(0o600)
    let_others_in(tmp_path)
    inside, _, file, _ = problems_of_other(closed / "clip.mp4", secret)
    assert inside.startswith(f"{closed} belongs to the user root, and the user ")
    assert file.startswith(f"{secret} belongs to the user root, and the user ")
    assert "chown" not in inside + file
    assert read_problem(secret) is None


@as_root
def test_failed_write_names_the_owner(tmp_path: Path) -> None:
    let_others_in(tmp_path)
    program = ACCESS_AS_OTHER.replace("import access_problem, read_problem", "import write_problem")
    program = program[: program.index("for path in map")] + (
        "try:\n    Path(sys.argv[1]).mkdir(parents=True)\n"
        "except OSError as error:\n    print(write_problem(error))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"the folder {tmp_path} belongs to the user root"), done
    assert write_problem(FileNotFoundError(2, "No such file or directory", b"/none")) == (
        "No such file or directory"
    )


# Root may use all files, so the check runs as another user if root runs the tests.
AS_OWNER = """
import encodings.ascii, os, sys
from pathlib import Path
from edge.common.file_access import access_problem
file = Path(sys.argv[1])
file.touch(0o400)
if os.geteuid() == 0:
    os.chown(file, 65534, 65534)
    os.setgroups([])
    os.setresgid(*[65534] * 3)
    os.setresuid(*[65534] * 3)
print(access_problem([file]))
"""


def test_own_file_with_a_mode_that_forbids_it(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        let_others_in(tmp_path)
        os.chown(tmp_path, OTHER_ACCOUNT, OTHER_ACCOUNT)
    command = [sys.executable, "-c", AS_OWNER, str(tmp_path / "it's mine")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"""chmod u+rw '{tmp_path}/it'"'"'s mine'""")


def test_files_that_may_be_used_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert access_problem([tmp_path / "a", tmp_path / "missing" / "deep", tmp_path]) is None
    assert access_problem([Path("/proc/version"), Path("/sys/none")]) is None
