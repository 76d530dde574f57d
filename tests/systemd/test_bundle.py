"""What is in a bundle, and what keeps one from being made or taken."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wheels import MACHINES, PYTHONS, BundleError, Target, cached, read_lock

import edge
from edge.common.errors import UserError
from edge.service.bundle import unpack
from tests.support.bundles import Variant, make_bundle
from tests.support.cli_process import ROOT

PYTHON_VERSIONS = {"cp311": "3.11", "cp313": "3.13"}


@pytest.fixture(scope="session")
def unpacked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Variant(bundle, tmp_path_factory.mktemp("unpacked")).top


def test_it_holds_what_a_device_needs_and_the_sums_of_it(unpacked: Path) -> None:
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
def test_each_wheel_is_required_with_its_digest_and_each_requirement_is_there(
    unpacked: Path, python: str
) -> None:
    lines = (unpacked / f"requirements-{python}.txt").read_text().splitlines()
    required = {line.split("--hash=sha256:")[1]: line.split("==")[0] for line in lines}
    wheels = list((unpacked / "wheels" / python).glob("*.whl"))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in wheels}
    (installer,) = digests.keys() - required.keys()
    assert digests[installer].startswith("pip-")
    assert required.keys() <= digests.keys()
    assert "mask-patrol" in required.values()


def test_the_wheel_of_the_daemon_is_whole(unpacked: Path) -> None:
    (wheel,) = (unpacked / "wheels" / "cp311").glob("mask_patrol-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"edge/cli/main.py", "edge/assets/demo.mp4", "models/mask.tflite"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_the_same_sources_give_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    again = make_bundle(tmp_path / "again")
    assert again.read_bytes() == bundle.read_bytes()


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_fits_what_pyproject_asks_for(python: str) -> None:
    """`make lock` was run after the last change of dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {pin.name: pin.version for pin in read_lock(Target(python, "aarch64").lock)}
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["metrics"], *extras["dashboard"]]
    environment = {"python_version": PYTHON_VERSIONS[python], "platform_machine": "aarch64"}
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name in pins, f"{name} is not locked: make lock"
            assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]}: make lock"


def test_a_lock_that_is_none_is_told(tmp_path: Path) -> None:
    lock = tmp_path / "cp311.txt"
    lock.write_text("numpy>=1.26\n")
    with pytest.raises(BundleError, match=r"holds what is no pin: 'numpy>=1\.26'; make lock"):
        read_lock(lock)


def test_wheels_in_the_cache_count_by_their_content(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    digest = hashlib.sha256(b"wheel").hexdigest()
    lock.write_text(f"# made\na==1 \\\n    --hash=sha256:{digest}\nb==2 --hash=sha256:{'0' * 64}\n")
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    (tmp_path / "b-2-py3-none-any.whl").write_bytes(b"another")
    pins = read_lock(lock)
    assert cached(pins, tmp_path) == {pins[0]: tmp_path / "a-1-py3-none-any.whl"}


def test_without_a_network_and_a_cache_one_line_says_so(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'systemd'); import wheels, bundle, pathlib;"
        f"wheels.CACHE = pathlib.Path({str(tmp_path / 'cache')!r});"
        f"sys.argv = ['bundle', '--out', {str(tmp_path / 'out')!r}];"
        "bundle.build_wheel = lambda folder: folder; sys.exit(bundle.main())"
    )
    nowhere = {"PATH": "/usr/bin:/bin", "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
               "PIP_RETRIES": "0", "PIP_NO_INDEX": "1"}  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("make bundle: no wheels for aarch64 and cp311: ")
    assert "the first bundle needs the network" in line
    assert not list((tmp_path / "out").iterdir())


def test_both_machines_are_locked() -> None:
    assert set(MACHINES) == {"aarch64", "x86_64"}
    for python in PYTHONS:
        for pin in read_lock(Target(python, "aarch64").lock):
            assert 1 <= len(pin.hashes) <= len(MACHINES)


# Taken by `mask-patrol update`.


def test_only_the_wheels_of_this_python_are_unpacked(bundle: Path, tmp_path: Path) -> None:
    taken = unpack(bundle, tmp_path, "cp313")
    assert taken.version.startswith(edge.__version__)
    assert taken.machine in MACHINES
    assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["cp313"]
    assert (tmp_path / "install.sh").stat().st_mode & 0o111


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of a bundle with tiny files for wheels, sums and all."""
    top = tmp_path / "mask-patrol-9"
    (top / "wheels/cp311").mkdir(parents=True)
    for name, text in {
        "wheels/cp311/a.whl": "a",
        "VERSION": "9.0+aa\n",
        "MACHINE": "aarch64\n",
        "install.sh": "#!/bin/sh\n",
    }.items():
        (top / name).write_text(text)
    return top


def packed(top: Path, sums: bool = True) -> Path:
    from bundle import SUMS, checksums, pack

    if sums:
        (top / SUMS).write_text(checksums(top))
    path = top.parent / "bundle.tar"
    pack(top, path)
    return path


def refused(path: Path, into: Path) -> str:
    into.mkdir()
    with pytest.raises(UserError) as error:
        unpack(path, into, "cp311")
    return str(error.value)


def test_a_small_one_is_taken(small: Path, tmp_path: Path) -> None:
    taken = unpack(packed(small), tmp_path / "into", "cp311")
    assert (taken.version, taken.machine) == ("9.0+aa", "aarch64")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda top: (top / "wheels/cp311/a.whl").write_text("b"),
            "holds a damaged wheels/cp311/a.whl",
        ),
        (lambda top: (top / "wheels/cp311/a.whl").unlink(), "lacks wheels/cp311/a.whl"),
        (lambda top: (top / "more").write_text("b"), "holds a damaged more"),
        (lambda top: (top / "SHA256SUMS").unlink(), "it holds no SHA256SUMS"),
        (lambda top: (top / "SHA256SUMS").write_text("no sums"), "holds a damaged"),
    ],
)
def test_a_damaged_one_is_refused(
    small: Path, tmp_path: Path, change: object, expected: str
) -> None:
    packed(small)
    change(small)  # type: ignore[operator]
    assert expected in refused(packed(small, sums=False), tmp_path / "into")


@pytest.mark.parametrize("version", ["", "../../etc", "two words", "9" * 70, "é"])
def test_a_version_that_is_no_name_of_a_folder(small: Path, tmp_path: Path, version: str) -> None:
    (small / "VERSION").write_text(version)
    assert "the bundle's VERSION is no such thing" in refused(packed(small), tmp_path / "into")


def test_one_without_wheels_for_this_python(small: Path, tmp_path: Path) -> None:
    (small / "wheels/cp311/a.whl").rename(small / "a.whl")
    assert "has no wheels for this Python (cp311)" in refused(packed(small), tmp_path / "into")


@pytest.mark.parametrize("name", ["/etc/passwd", "top/../../etc/passwd", ".."])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    assert "is no bundle of mask-patrol: it holds" in refused(path, tmp_path / "into")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is full")
def test_a_full_disk_is_not_the_bundles_fault(small: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    (into / "VERSION").symlink_to("/dev/full")
    with pytest.raises(UserError) as caught:
        unpack(packed(small), into, "cp311")
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith(
        f"cannot unpack the bundle to {into}/VERSION: No space left"
    )


def test_links_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("top/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    assert "it holds 'top/link'" in refused(path, tmp_path / "into")
