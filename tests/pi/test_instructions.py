"""What a frame costs on the other processor, stage by stage, in instructions: these do not depend
on how slow an emulator is.

Written to `runs/pi/instructions.json`, beside the same on this computer's own Python.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.pi.door import ROOT, bundle
from tests.pi.roots import BOOKWORM, TRIXIE, Release, root_tar

#: Two seconds of the demo with somebody in view.
FRAMES = 30
HERE = Path(__file__).parent
REPORT = ROOT / "runs" / "pi" / "instructions.json"
#: The same twice is nearly the same.
REPEATS_WITHIN = 0.02


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed, which builds the plugin that counts")
    for machine in ("aarch64", platform.machine()):
        if shutil.which(f"qemu-{machine}") is None:
            pytest.skip(f"qemu-{machine} is not installed (apt install qemu-user)")
    path = tmp_path_factory.mktemp("plugin") / "count.so"
    source = HERE / "count.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", path, source], check=True)
    return path


#: A Pi 4's. Without it, the runtime reads that of this computer, and falls over it.
CPU_INFO = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""


def counted(plugin: Path, emulator: list[str], packages: Path) -> dict[str, Any]:
    """What `stages.py` says, run by `emulator` with `packages` to import from."""
    count = plugin.with_name("count")
    count.write_bytes(bytes(8))
    name, *python = emulator
    done = subprocess.run(
        ["nice", "-n", "10", name, "-plugin", f"{plugin},count={count}", *python,
         HERE / "stages.py", count, str(FRAMES)],
        env={**os.environ, "PYTHONPATH": str(packages), "OPENBLAS_NUM_THREADS": "1",
             "PYTHONHASHSEED": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def unpacked(release: Release, folder: Path) -> tuple[list[str], Path]:
    """The other system's Python, as qemu in user mode starts it, and the bundle's packages."""
    root, packages, whole = folder / "root", folder / "packages", folder / "whole"
    for path in (root, packages, whole):
        path.mkdir()
    subprocess.run(["tar", "-xf", root_tar(release), "-C", root], check=True)
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cpuinfo").write_text(CPU_INFO)
    subprocess.run(["tar", "-xf", bundle(), "-C", whole, "--strip-components=1"], check=True)
    for wheel in (whole / "wheels" / release.python).glob("*.whl"):
        if not wheel.name.startswith("pip-"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
    python = next((root / "usr/bin").glob("python3.1?"))
    return ["qemu-aarch64", "-cpu", "cortex-a72", "-L", str(root), str(python)], packages


def per_frame(said: dict[str, Any]) -> dict[str, int]:
    return {name: count // said["frames"] for name, count in said["instructions"].items()}


@pytest.mark.parametrize("release", [BOOKWORM, TRIXIE], ids=lambda release: release.name)
def test_the_stages_are_counted_on_both_processors(
    release: Release, plugin: Path, tmp_path: Path
) -> None:
    emulator, packages = unpacked(release, tmp_path)
    there = counted(plugin, emulator, packages)
    again = counted(plugin, emulator, packages)
    here = counted(plugin, [f"qemu-{platform.machine()}", sys.executable], ROOT)
    figures = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    figures[f"aarch64, {there['runtime']}"] = per_frame(there)
    figures[f"{platform.machine()}, {here['runtime']}"] = per_frame(here)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(f"instructions per frame: {json.dumps(figures, indent=2)}\n")
    for stage in ("detect", "classify"):
        count = there["instructions"][stage]
        assert abs(again["instructions"][stage] - count) <= REPEATS_WITHIN * count
    # Finding faces is much the same work everywhere; the network depends on its kernels.
    ratio = there["instructions"]["detect"] / here["instructions"]["detect"]
    assert 0.5 < ratio < 2.0
