"""Bundles for this machine, and variants of them with another version or changed code."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.cli_process import ROOT
from tests.support.shared_files import made_once

#: The tags of the system's Python in Debian bookworm and trixie.
PYTHON_OF = {"bookworm": "cp311", "trixie": "cp313"}
#: Code that is appended to the daemon's code in a variant of a bundle, so that every connection to
#: the broker fails.
NO_BROKER = """
import paho.mqtt.client

def _connect(*arguments, **options):
    raise OSError("this variant cannot connect")

paho.mqtt.client.Client.connect = _connect
"""


def run_bundle_command(*arguments: str | Path) -> None:
    """Run the command of `make bundle`."""
    subprocess.run(
        [sys.executable, "-m", "bundle", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "systemd"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def make_bundle(out: Path, *arguments: str) -> Path:
    """Make a bundle for this machine in the folder `out`; return its path."""
    run_bundle_command("--machine", platform.machine(), "--out", out, *arguments)
    (path,) = out.iterdir()
    return path


def bundle_for(suite: str, factory: pytest.TempPathFactory) -> Path:
    """Return a bundle with the wheels of the Python of a Debian `suite` only.

    It is made once in a test session; tests must not change it.
    """

    def make(folder: Path) -> None:
        make_bundle(folder, "--python", PYTHON_OF[suite])

    (path,) = made_once(factory, f"bundle-{suite}", make).iterdir()
    return path


def write_small_bundle(top: Path, version: str = "9.0+aa", machine: str = "aarch64") -> Path:
    """Write the files of a bundle, with tiny files instead of wheels, into `top`; return `top`."""
    for name, text in {
        "wheels/cp311/a.whl": "a",
        "wheels/cp313/a.whl": "b",
        "VERSION": f"{version}\n",
        "MACHINE": f"{machine}\n",
        "install.sh": "#!/bin/sh\n",
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def pack_small_bundle(top: Path, out: Path) -> Path:
    """Pack the files in `top`, with their checksums, into the bundle `out`; return `out`."""
    from bundle.build import SUMS, checksums, pack

    (top / SUMS).write_text(checksums(top))
    pack(top, out)
    return out


class Variant:
    """An unpacked copy of a bundle that can be changed and packed again, with valid checksums."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xf", bundle, "-C", folder], check=True)
        (self.top,) = (path.parent for path in folder.glob("*/VERSION"))

    def change_module(self, name: str, pattern: str, replacement: str) -> Variant:
        """Replace the first match of `pattern` in a file of Mask Patrol's own wheels.

        `name` may be a glob pattern; exactly one of the files must match `pattern`.
        """
        for wheel in self.top.glob("wheels/*/mask_patrol-*.whl"):
            before = hashlib.sha256(wheel.read_bytes()).hexdigest()
            with zipfile.ZipFile(wheel) as archive:
                files = {entry: archive.read(entry.filename) for entry in archive.infolist()}
            changed_files = 0
            with zipfile.ZipFile(wheel, "w") as archive:
                for entry, original in files.items():
                    content = original
                    if fnmatch.fnmatch(entry.filename, name):
                        text, count = re.subn(pattern, replacement, content.decode(), count=1)
                        changed_files += count
                        content = text.encode()
                    archive.writestr(entry, content)
            assert changed_files == 1, f"{changed_files} files {name} match {pattern}"
            after = hashlib.sha256(wheel.read_bytes()).hexdigest()
            for requirements in self.top.glob("requirements-*.txt"):
                requirements.write_text(requirements.read_text().replace(before, after))
        return self

    def pack(self, out: Path, version: str) -> Path:
        """Pack a bundle with the version `version` into `out`; return `out`."""
        from bundle.build import SUMS, VERSION, checksums, pack

        (self.top / VERSION).write_text(f"{version}\n")
        (self.top / SUMS).write_text(checksums(self.top))
        pack(self.top, out)
        return out
