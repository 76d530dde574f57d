"""The content of a real bundle, and the command that makes it."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from bundle.build import SUMS, checksums, pack
from bundle.wheels import PYTHONS

import edge
from tests.support.cli_process import ROOT
from tests.support.systemd.bundles import Variant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def unpacked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The top folder of the unpacked bundle."""
    return Variant(bundle, tmp_path_factory.mktemp("unpacked")).top


def test_bundle_has_all_files_with_checksums(unpacked: Path) -> None:
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=unpacked, check=True
    )
    listed = {line.split("  ")[1] for line in (unpacked / "SHA256SUMS").read_text().splitlines()}
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert listed == files - {"SHA256SUMS"}
    version = (unpacked / "VERSION").read_text().strip()
    assert re.fullmatch(re.escape(edge.__version__) + r"\+[0-9a-f]{8}", version)
    assert (unpacked / "install.sh").stat().st_mode & 0o111
    for name in ("config.example.toml", "units/mask-patrol.service", "LICENSE", "MACHINE"):
        assert (unpacked / name).is_file()


@pytest.mark.parametrize("python", PYTHONS)
def test_requirements_match_wheels(unpacked: Path, python: str) -> None:
    lines = (unpacked / f"requirements-{python}.txt").read_text().splitlines()
    required = {line.split("--hash=sha256:")[1]: line.split("==")[0] for line in lines}
    wheels = list((unpacked / "wheels" / python).glob("*.whl"))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in wheels}
    (not_required,) = digests.keys() - required.keys()
    assert digests[not_required].startswith("pip-")
    assert required.keys() <= digests.keys()
    assert "mask-patrol" in required.values()


def test_wheel_has_code_and_data_but_no_tests(unpacked: Path) -> None:
    (wheel,) = (unpacked / "wheels" / "cp311").glob("mask_patrol-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"edge/cli/main.py", "edge/assets/demo.mp4", "models/mask.tflite"} <= names
    assert {"models/face.tflite", "models/face-float16.tflite"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_wheel_has_every_tracked_file_of_edge(unpacked: Path) -> None:
    (wheel,) = (unpacked / "wheels" / "cp311").glob("mask_patrol-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "edge").rglob("*")
        if path.is_file() and path.suffix in (".py", ".json", ".html", ".js", ".css", ".toml")
    }
    assert files - names == set()


def test_pack_omits_owner_and_time(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "two"):
        top = tmp_path / name / "mask-patrol-1"
        top.mkdir(parents=True)
        (top / "install.sh").write_text("#!/bin/sh\n")
        (top / SUMS).write_text(checksums(top))
        pack(top, tmp_path / f"{name}.tar")
        archives.append((tmp_path / f"{name}.tar").read_bytes())
    assert archives[0] == archives[1]


def test_pack_keeps_long_names(tmp_path: Path) -> None:
    name = f"charset_normalizer-{'1' * 120}.whl"
    top = tmp_path / "top"
    (top / "wheels").mkdir(parents=True)
    (top / "wheels" / name).write_bytes(b"wheel")
    pack(top, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert f"top/wheels/{name}" in archive.getnames()


def test_error_without_network_and_cache(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from bundle import wheels, build, cli;"
        f"wheels.CACHE = pathlib.Path({str(tmp_path / 'cache')!r});"
        "build.build_wheel = lambda folder: folder;"
        f"sys.exit(cli.main(['--out', {str(tmp_path / 'out')!r}]))"
    )
    offline = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "systemd"),
               "PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0",
               "PIP_NO_INDEX": "1"}  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=offline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("make bundle: cannot download the wheels for aarch64 and cp311: ")
    assert "the first bundle needs the network" in line
    assert not list((tmp_path / "out").iterdir())
