"""Bundles for this machine, and others made from them that are broken in some way."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.cli_process import ROOT

#: The Python of Debian bookworm, and of trixie.
PYTHON_OF = {"bookworm": "cp311", "trixie": "cp313"}


def make_bundle(out: Path, *arguments: str) -> Path:
    """What `make bundle` makes for this machine, in the folder `out`."""
    command = [sys.executable, ROOT / "systemd" / "bundle.py", "--machine", platform.machine()]
    subprocess.run([*command, "--out", out, *arguments], check=True, stdout=subprocess.DEVNULL)
    (path,) = out.iterdir()
    return path


class Variant:
    """An unpacked copy of a bundle that can be changed and packed again, with sums that fit."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xf", bundle, "-C", folder], check=True)
        (self.top,) = folder.iterdir()

    def change_module(self, name: str, pattern: str, replacement: str) -> Variant:
        """Replace what `pattern` finds in a file of the daemon's wheels."""
        for wheel in self.top.glob("wheels/*/mask_patrol-*.whl"):
            before = hashlib.sha256(wheel.read_bytes()).hexdigest()
            with zipfile.ZipFile(wheel) as archive:
                files = {entry: archive.read(entry.filename) for entry in archive.infolist()}
            with zipfile.ZipFile(wheel, "w") as archive:
                for entry, content in files.items():
                    changed = content
                    if entry.filename == name:
                        text, count = re.subn(pattern, replacement, content.decode(), count=1)
                        assert count == 1, f"{name} holds no {pattern}"
                        changed = text.encode()
                    archive.writestr(entry, changed)
            after = hashlib.sha256(wheel.read_bytes()).hexdigest()
            for requirements in self.top.glob("requirements-*.txt"):
                requirements.write_text(requirements.read_text().replace(before, after))
        return self

    def pack(self, out: Path, version: str) -> Path:
        """A bundle that calls itself `version`."""
        from bundle import SUMS, VERSION, checksums, pack

        (self.top / VERSION).write_text(f"{version}\n")
        (self.top / SUMS).write_text(checksums(self.top))
        pack(self.top, out)
        return out
