"""Debian packages for an image: which are missing, and that apt ignores this machine's settings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sdcard.debian_packages import installed_packages, wanted_packages, write_apt_config
from sdcard.programs import run

from tests.support.systemd.card_images import STATUS


def test_removed_package_is_not_installed() -> None:
    assert installed_packages(STATUS) == {"python3", "python3-picamera2"}


def test_camera_module_needs_picamera2() -> None:
    assert wanted_packages("picamera2:1", ["nano"]) == ["python3-picamera2", "nano"]
    assert wanted_packages("/dev/video0", []) == []


def test_apt_ignores_the_configuration_of_this_machine(tmp_path: Path) -> None:
    if shutil.which("apt-config") is None:
        pytest.skip("apt is not installed")
    etc = tmp_path / "etc/apt"
    (etc / "apt.conf.d").mkdir(parents=True)
    (etc / "apt.conf.d/99host").write_text('APT::Host "its own";\n')
    (etc / "apt.conf").write_text('APT::Host "its own";\n')
    config = write_apt_config(tmp_path)
    for text, read in (("", True), (config.read_text(), False)):
        config.write_text(f'Dir "{tmp_path}";\n{text}')
        output = run("apt-config", "dump", environment={"APT_CONFIG": str(config)})
        assert ("APT::Host" in output) is read
