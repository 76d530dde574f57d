"""The number of instructions per frame and stage on arm64, which does not depend on the emulator.

Writes `runs/pi/instructions.json`, which also contains the numbers of this computer's Python.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.pi.device import ROOT, bundle
from tests.pi.roots import BOOKWORM, TRIXIE, Release, python_tar

#: Two seconds of the demo clip with a person in view.
FRAMES = 30
HERE = Path(__file__).parent
REPORT = ROOT / "runs" / "pi" / "instructions.json"
#: Largest allowed relative difference between the instruction counts of two runs.
REPEATS_WITHIN = 0.02
#: What is measured on all computers, and what is measured on arm64 in addition: values of
#: `detector.kind`, with the variant of the network's file if it is not the default.
DEFAULT, *OTHERS = "both", "learned", "haar", "learned-float16"
#: The largest allowed number of instructions per frame on arm64 by default. The estimates for the
#: boards in `edge/bench/README.md` follow from it.
MAX_PER_FRAME = 27_000_000
#: The folders of the runtimes in the packages, in the order in which the daemon tries them.
RUNTIMES = ("ai_edge_litert", "tflite_runtime")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc, which compiles the counting plugin, is not installed")
    for machine in ("aarch64", platform.machine()):
        if shutil.which(f"qemu-{machine}") is None:
            pytest.skip(f"qemu-{machine} is not installed (apt install qemu-user)")
    path = tmp_path_factory.mktemp("plugin") / "count.so"
    source = HERE / "count.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", path, source], check=True)
    return path


#: /proc/cpuinfo of a Raspberry Pi 4. The runtime cannot parse this computer's
#: /proc/cpuinfo.
CPU_INFO = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

"""


def counted(
    plugin: Path, emulator: list[str], packages: Path, detectors: Sequence[str] = (DEFAULT,)
) -> list[dict[str, Any]]:
    """Run `stages.py` with `emulator` and the Python packages in `packages`; return its output."""
    count = plugin.with_name("count")
    count.write_bytes(bytes(8))
    name, *python = emulator
    done = subprocess.run(
        ["nice", "-n", "10", name, "-plugin", f"{plugin},count={count}", *python,
         HERE / "stages.py", count, str(FRAMES), *detectors],
        env={**os.environ, "PYTHONPATH": str(packages), "OPENBLAS_NUM_THREADS": "1",
             "PYTHONHASHSEED": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def unpack(release: Release, folder: Path) -> tuple[list[str], Path]:
    """Unpack a release; return the command that runs its Python, and the folder of packages."""
    root, packages, unpacked = folder / "root", folder / "packages", folder / "bundle"
    for path in (root, packages, unpacked):
        path.mkdir()
    subprocess.run(["tar", "-xf", python_tar(release), "-C", root], check=True)
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cpuinfo").write_text(CPU_INFO)
    subprocess.run(["tar", "-xf", bundle(), "-C", unpacked, "--strip-components=1"], check=True)
    for wheel in (unpacked / "wheels" / release.python).glob("*.whl"):
        if not wheel.name.startswith("pip-"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)
    python = next((root / "usr/bin").glob("python3.1?"))
    return ["qemu-aarch64", "-cpu", "cortex-a72", "-L", str(root), str(python)], packages


def per_frame(result: dict[str, Any]) -> dict[str, int]:
    """Return the number of instructions per frame and stage, and of all stages."""
    stages = {name: count // result["frames"] for name, count in result["instructions"].items()}
    return {**stages, "all": sum(stages.values())}


def record(system: str, result: dict[str, Any]) -> dict[str, int]:
    """Add the numbers of a detector on `system` to the report, and return them."""
    figures = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    name = f"{system}, {result['runtime']}, {result['detector']}"
    figures[name] = per_frame(result)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(f"instructions per frame, {name}: {json.dumps(figures[name])}\n")
    return dict(figures[name])


@pytest.mark.parametrize("release", [BOOKWORM, TRIXIE], ids=lambda release: release.name)
def test_instructions_of_each_stage_are_repeatable(
    release: Release, plugin: Path, tmp_path: Path
) -> None:
    emulator, packages = unpack(release, tmp_path)
    (there,) = counted(plugin, emulator, packages)
    (again,) = counted(plugin, emulator, packages)
    (here,) = counted(plugin, [f"qemu-{platform.machine()}", sys.executable], ROOT)
    record(platform.machine(), here)
    by_default = record(f"{release.name} aarch64", there)
    for stage in ("detect", "classify"):
        count = there["instructions"][stage]
        assert abs(again["instructions"][stage] - count) <= REPEATS_WITHIN * count
    # Face detection needs about as many instructions on arm64 as on this computer; the number for
    # the network depends on the runtime.
    ratio = there["instructions"]["detect"] / here["instructions"]["detect"]
    assert 0.5 < ratio < 2.0
    assert by_default["all"] <= MAX_PER_FRAME


@pytest.mark.parametrize("release", [BOOKWORM, TRIXIE], ids=lambda release: release.name)
def test_instructions_of_other_detectors_and_runtimes(
    release: Release, plugin: Path, tmp_path: Path
) -> None:
    emulator, packages = unpack(release, tmp_path)
    installed = [packages / name for name in RUNTIMES if (packages / name).is_dir()]
    assert installed
    for runtime in installed:
        detectors = OTHERS if runtime is installed[0] else (DEFAULT, *OTHERS)
        results = counted(plugin, emulator, packages, detectors)
        for result in results:
            record(f"{release.name} aarch64", result)
        assert {result["runtime"].replace("-", "_") for result in results} == {runtime.name}
        shutil.rmtree(runtime)  # the daemon then uses the next one
