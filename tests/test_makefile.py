"""The Makefile passes on every value as it is: make does not expand it, and the shell does not
interpret it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.makefile import ROOT, checkout, make, printed_arguments

#: Values that make, the shell, or a program would change, interpret or split.
HOSTILE = (
    "pa$word",
    "$(shell touch pwned)",
    "$(touch pwned)",
    "`touch pwned`",
    "a b  c",
    "a'b",
    'a"b',
    "a;touch pwned",
    "a\ntouch pwned",
    "a|b&c>pwned<d",
    "--anyway",
    "-x",
    "#a",
    "~*?[a]{b,c}!%\\",
    "é ü 木",
)
#: A target and further variables for each variable with one value.
ONE_VALUE = {
    "SOURCE": ("run",),
    "BROKER": ("dashboard",),
    "CONFIG": ("check",),
    "MODEL": ("evaluate", "DATA=x"),
    "RUN": ("adopt",),
    "CLASSES": ("train", "DATA=x"),
    "SIGN_KEY": ("release",),
    "BASE": ("image", "CONFIG=c"),
    "IMAGE": ("flash", "DEVICE=d"),
    "DEVICE": ("flash",),
    "BOOT": ("firstrun", "CONFIG=c"),
    "RELEASE": ("firstrun", "CONFIG=c", "BOOT=b"),
}
#: A target and further variables for each variable with several values.
SEVERAL = {
    "DATA": ("explore",),
    "DATASET": ("dataset",),
    "ONLY": ("convert",),
    "DETECTOR": ("evaluate-detector", "DATA=x"),
    "CLIPS": ("frontier", "DATA=x"),
    "TRAIN_ARGS": ("train", "DATA=x"),
    "ADOPT_ARGS": ("adopt", "RUN=x"),
    "EXPLORE_ARGS": ("explore", "DATA=x"),
    "CONVERT_ARGS": ("convert", "ONLY=x"),
    "EVALUATE_ARGS": ("evaluate", "DATA=x"),
    "FRONTIER_ARGS": ("frontier", "DATA=x"),
    "DETECTOR_ARGS": ("train-detector", "DATA=x"),
    "BENCH_ARGS": ("bench",),
    "BUNDLE_ARGS": ("bundle",),
    "RELEASE_ARGS": ("release",),
    "FLASH_ARGS": ("flash", "DEVICE=x"),
    "DASHBOARD_ARGS": ("demo",),
    "PYTEST_ARGS": ("soak",),
}
#: Variables that no program of the virtual environment gets as an argument.
OTHERS = {"PYTHON", "SUDO_USER", "INSTALL_ARGS"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = checkout(tmp_path / "it's a $x `checkout`")
    text = (place / "Makefile").read_text()  # without the programs that need apt or the network
    (place / "Makefile").write_text(re.sub(r"(?m)^(test-tools:).*\n(\t.*\n)+", r"\1\n", text))
    return place


def quoted(value: str) -> str:
    """Return `value` as one word of a list, in single quotes as in a shell."""
    return "'" + value.replace("'", "'\"'\"'") + "'"


def test_every_variable_is_tested() -> None:
    text = (ROOT / "Makefile").read_text()
    listed = re.search(r"USER_VARIABLES := ((?:.|\\\n)*?[^\\])\n", text)
    assert listed is not None
    names = set(listed[1].replace("\\\n", " ").split())
    assert names == {*ONE_VALUE, *SEVERAL, *OTHERS}
    recipes = "\n".join(line for line in text.splitlines() if line.startswith("\t"))
    for name in names:
        assert f"$({name})" not in recipes
        assert not re.search(rf"(?<!\$)\${name}\b", recipes)


def passed_on(arguments: list[str], value: str) -> bool:
    return any(each == value or each.partition("=")[2] == value for each in arguments)


@pytest.mark.parametrize("value", HOSTILE)
def test_value_is_passed_as_it_is(folder: Path, value: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    assert passed_on(printed_arguments(make(folder, "run", f"SOURCE={value}")), value)
    done = make(folder, "run", environment={"SOURCE": value})
    assert passed_on(printed_arguments(done), value)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("name", ONE_VALUE)
def test_each_variable_is_passed_as_it_is(folder: Path, name: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    for value in ("".join(HOSTILE), "--anyway"):
        done = make(folder, *ONE_VALUE[name], f"{name}={value}")
        assert passed_on(printed_arguments(done), value)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("name", SEVERAL)
def test_values_of_a_list_are_passed_as_they_are(folder: Path, name: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    values = [value for value in HOSTILE if "\n" not in value]
    listed = " ".join(map(quoted, HOSTILE))
    arguments = printed_arguments(make(folder, *SEVERAL[name], f"{name}={listed}"))
    for value in values:
        assert passed_on(arguments, value)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_folder_with_blanks_needs_no_quotes(folder: Path) -> None:
    for name in ("my pictures", "it's", "b"):
        (folder / name).mkdir()

    def data(value: str) -> list[str]:
        return printed_arguments(make(folder, "explore", f"DATA={value}"))[3:]

    assert data("my pictures") == ["--data=my pictures"]
    assert data("it's b") == ["--data=it's", "--data=b"]
    assert data("no_mask=it's b") == ["--data=no_mask=it's", "--data=b"]
    assert data("'my pictures' b") == ["--data=my pictures", "--data=b"]
    wrong = make(folder, "explore", "DATA=it's c")
    assert wrong.returncode != 0
    assert b"DATA has a quotation mark without its partner: it's c" in wrong.stderr


def test_python_is_not_interpreted(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    checkout(folder)
    (folder / ".venv" / ".venv").unlink()
    for value in ("`touch pwned`", "$(touch pwned)", "$(shell touch pwned)", "a; touch pwned"):
        done = make(folder, "run", f"PYTHON={value}")
        assert done.returncode != 0
        assert f"make: the Python {value} does not run" in done.stderr.decode()
    assert not (folder / "pwned").exists()


def test_missing_values_do_not_reach_programs(folder: Path) -> None:
    program = folder / ".venv" / "bin" / "mask-patrol"
    program.write_text('#!/bin/sh\necho "${CONFIG-unset} ${BROKER-unset} ${MODEL-unset}"\n')
    done = make(folder, "run", "BROKER=b", environment={"PATH": os.environ["PATH"]})
    assert done.stdout.decode().split() == ["unset", "b", "models/mask.tflite"]


def test_defaults(folder: Path) -> None:
    assert printed_arguments(make(folder, "run")) == ["run", "--watch", "--log-level", "warning"]
    detectors = printed_arguments(make(folder, "evaluate-detector", "DATA=x"))
    assert detectors[3:] == ["--detector=haar", "--data=x"]
    training = printed_arguments(make(folder, "train", "DATA=x y"))
    assert training[3:] == ["--data=x", "--data=y", "--classes=2", "--run-folder=runs/mask"]
    both = printed_arguments(make(folder, "train", "DATA=x", "CLASSES=3"))
    assert both[4:] == ["--classes=3", "--run-folder=runs/mask"]
    image = printed_arguments(make(folder, "image", "BASE=b", "CONFIG=c"))
    assert image[-1] == "--out=mask-patrol.img"


def test_folder_of_a_run_is_given_in_run(folder: Path) -> None:
    for option in ("--run-folder r", "--run=r", "--out=models/mask.keras", "--ou r"):
        done = make(folder, "train", "DATA=x", f"TRAIN_ARGS={option}")
        assert done.returncode == 2
        assert b"make train: give the folder of the run in RUN" in done.stderr


@pytest.mark.parametrize("value", ["a b", "`touch pwned`", "a;b", "$(shell touch pwned)"])
def test_virtual_environment_must_be_a_plain_path(folder: Path, value: str) -> None:
    done = make(folder, "run", f"VENV={value}")
    assert b"VENV must be a plain path" in done.stderr
    assert not (folder / "pwned").exists()


def run_unprivileged(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run make as a user who may not write in `folder`."""
    for parent in (folder.parent, *folder.parent.parents[:2]):
        parent.chmod(0o755)
    folder.chmod(0o555)
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*(other if os.geteuid() == 0 else []), "make", "--silent", *arguments]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("missing", [".venv", ".dashboard"])
def test_checkout_that_cannot_be_written_is_named(tmp_path: Path, missing: str) -> None:
    folder = checkout(tmp_path / "checkout")
    (folder / ".venv" / missing).unlink()
    if missing == ".dashboard" and os.geteuid() != 0:
        (folder / ".venv").chmod(0o555)
    done = run_unprivileged(folder, "dashboard", "PYTHON=python3")
    error = done.stderr.decode()
    assert done.returncode != 0
    assert "cannot be written by" in error, error
    assert "it belongs to" in error
    assert "apt install" not in error


def test_cause_of_a_failed_virtual_environment_is_shown(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "checkout")
    (folder / ".venv" / ".venv").unlink()
    python = tmp_path / "python"
    # a Python with venv and ensurepip, whose venv fails, as on a full disk
    python.write_text('#!/bin/sh\n[ "$1" != -m ] || { echo "No space left" >&2; exit 1; }\n')
    python.chmod(0o755)
    error = make(folder, "run", f"PYTHON={python}").stderr.decode()
    assert "the virtual environment .venv cannot be created: No space left" in error
    assert "apt install" not in error
    python.write_text('#!/bin/sh\ncase "$*" in "-m venv"*|*ensurepip*) exit 1;; esac\n')
    error = make(folder, "run", f"PYTHON={python}").stderr.decode()
    assert "has no venv: sudo apt install python3-venv" in error
