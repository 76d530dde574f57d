"""firstrun.py, as it runs on Windows: without the modules, functions and programs of Linux."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sdcard.firstrun import prepare
from sdcard.site import load_site

from tests.support.cli_process import ROOT
from tests.support.systemd.card_images import site_file, small_bundle

PROGRAM = ROOT / "systemd/firstrun.py"
#: Modules that Python has only on POSIX systems, and packages that only the daemon needs.
ABSENT_MODULES = (
    "fcntl", "grp", "pwd", "pty", "readline", "resource", "syslog", "termios", "tty",
    "cv2", "numpy", "paho", "av", "starlette", "sqlalchemy",
)  # fmt: skip
ABSENT_FUNCTIONS = (
    "chown", "fchown", "fork", "geteuid", "getuid", "mkfifo", "O_NOFOLLOW", "O_DIRECTORY", "sync",
    "uname",
)  # fmt: skip
#: Python reads this file at its start.
CUSTOMIZATION = f"""
import importlib.abc, os, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {ABSENT_MODULES}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
for name in {ABSENT_MODULES}:
    sys.modules.pop(name, None)
for name in {ABSENT_FUNCTIONS}:
    delattr(os, name)
"""


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    """The boot partition of a card."""
    folder = tmp_path / "bootfs"
    folder.mkdir()
    (folder / "cmdline.txt").write_text("root=PARTUUID=1-02 rootwait quiet\n")
    return folder


def run_alone(program: Path, folder: Path, *arguments: str | Path, **environment: str):
    (folder / "custom").mkdir(exist_ok=True)
    (folder / "custom/sitecustomize.py").write_text(CUSTOMIZATION)
    return subprocess.run(
        [sys.executable, program, *arguments],
        env={"PATH": "", "PYTHONPATH": str(folder / "custom"), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def content(boot: Path) -> dict[str, bytes]:
    return {str(p.relative_to(boot)): p.read_bytes() for p in boot.rglob("*") if p.is_file()}


@pytest.mark.parametrize("release", ["trixie", "bookworm"])
def test_card_is_the_same_as_on_linux(boot: Path, tmp_path: Path, release: str) -> None:
    before = content(boot)
    site, bundle = site_file(tmp_path), small_bundle(tmp_path)
    options = ("--config", site, "--boot", boot, "--release", release, "--bundle", bundle)
    result = run_alone(PROGRAM, tmp_path, *options, PYTHONIOENCODING="cp850")
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    alone = content(boot)
    for name in alone:
        (boot / name).unlink()
    for name, old in before.items():
        (boot / name).write_bytes(old)
    prepare(boot, release, load_site(site), bundle)
    assert alone == content(boot)
    assert f"ready for {release.title()}; the card contains the bundle" in result.stdout


def test_mistake_is_reported_in_one_line(boot: Path, tmp_path: Path) -> None:
    site = site_file(tmp_path, hostname='"Tür 1"')
    for config, message in ((site, "`hostname`: expected"), (tmp_path / "no.toml", "no.toml")):
        options = ("--config", config, "--boot", boot, "--release", "trixie")
        result = run_alone(PROGRAM, tmp_path, *options)
        assert result.returncode == 2
        assert result.stderr.startswith("firstrun: ")
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (
            "sdcard.cli",
            "image --base x --config x --bundle x",
            "make image: needs Linux; on Windows",
        ),
        (
            "sdcard.cli",
            "flash --device /dev/sdX",
            "make flash: needs Linux; on Windows and macOS, ",
        ),
        ("edge.cli.main", "run", "mask-patrol: needs Linux; on Windows, "),
    ],
)
def test_command_for_linux_says_so_elsewhere(
    tmp_path: Path, module: str, options: str, message: str
) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'systemd')!r}];"
        f" sys.platform = 'win32'; from {module} import main; sys.exit(main())"
    )
    (tmp_path / "run.py").write_text(code)
    result = run_alone(tmp_path / "run.py", tmp_path, *options.split())
    assert result.returncode != 0
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_old_python_can_read_the_program() -> None:
    """It must be able to say that it is too old."""
    ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_line_ends_are_those_of_linux_in_every_checkout() -> None:
    """git on Windows would otherwise change them in scripts that go onto the card."""
    scripts = sorted((ROOT / "systemd").rglob("*.sh"))
    result = subprocess.run(
        ["git", "check-attr", "eol", *scripts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        pytest.skip("this is not a checkout of git")
    assert {line.rpartition(": ")[2] for line in result.stdout.splitlines()} == {"lf"}


@pytest.mark.soak
def test_packages_are_installed_at_the_first_call(boot: Path, tmp_path: Path) -> None:
    """Needs a package index; the environment of the test must not have the packages."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "edge").symlink_to(ROOT / "edge")
    (checkout / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    shutil.copytree(ROOT / "systemd", checkout / "systemd")
    site, bundle = site_file(tmp_path), small_bundle(tmp_path)
    python = Path(sys.base_prefix) / "bin/python3"
    result = subprocess.run(
        [
            python, checkout / "systemd/firstrun.py", "--config", site, "--boot", boot,
            "--release", "trixie", "--bundle", bundle,
        ],
        env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert (checkout / ".cache/firstrun/pyvenv.cfg").exists()
    assert "Installing msgspec and tomli-w" in result.stdout
