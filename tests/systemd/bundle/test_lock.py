"""The lock files match pyproject.toml, and `read_lock` can read what `make lock` writes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from bundle.lock import EXTRAS, format_lock
from bundle.wheels import PYTHONS, Pin, Target, pins_for, plain_requirements, read_lock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.cli_process import ROOT

PYTHON_VERSIONS = {"cp311": "3.11", "cp313": "3.13"}


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_pyproject(python: str) -> None:
    """This test fails if `make lock` was not run after the last change of the dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {pin.name: pin.version for pin in read_lock(Target(python, "aarch64").lock)}
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for extra in EXTRAS for line in extras[extra])]
    environment = {"python_version": PYTHON_VERSIONS[python], "platform_machine": "aarch64"}
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name in pins, f"{name} is not locked: make lock"
            assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]}: make lock"


def test_written_lock_is_read_back(tmp_path: Path) -> None:
    digests = {"a==1": ["0" * 64, "1" * 64], "b-c==2.0": ["2" * 64]}
    path = tmp_path / "cp311.txt"
    path.write_text(format_lock("cp311", digests, {"b-c==2.0": "aarch64"}))
    pins = read_lock(path)
    assert {f"{pin.name}=={pin.version}": sorted(pin.hashes) for pin in pins} == digests
    assert [pin.machine for pin in pins] == ["", "aarch64"]


def test_package_for_one_machine_is_left_out_for_the_others() -> None:
    """lgpio switches the pins of a Raspberry Pi; it has no wheel for each Python on a PC."""
    for python in PYTHONS:
        names = [
            {pin.name for pin in pins_for(Target(python, machine))}
            for machine in ("aarch64", "x86_64")
        ]
        assert names[0] - names[1] == {"lgpio" if python == "cp311" else "adafruit-lgpio"}


def test_marker_is_not_for_the_machine_that_downloads(tmp_path: Path) -> None:
    pins = [Pin("a", "1", frozenset({"0" * 64}), "another")]
    with plain_requirements(pins) as file:
        assert file.read_text() == f"a==1 --hash=sha256:{'0' * 64}\n"
