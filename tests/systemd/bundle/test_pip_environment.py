"""pip installs into the virtual environment, whatever the settings say about other places."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from bundle.pip_environment import restricted

SYSTEMD = Path(__file__).parents[3] / "systemd"
METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def test_only_settings_of_the_source_of_packages_are_kept() -> None:
    settings = {
        "global.index-url": "https://global/simple",
        "install.index-url": "https://install/simple",
        "global.extra-index-url": "\nhttps://one\nhttps://two",
        "global.no-index": "true",
        "global.user": "true",
        "install.target": "/elsewhere",
        "download.proxy": "http://of-another-command",
        ":env:.proxy": "http://user:pa%24s@proxy:3128",
        ":env:.prefix": "/elsewhere",
    }
    environment = {"PATH": "/bin", "PIP_USER": "1", "PIP_PREFIX": "/elsewhere", "HTTPS_PROXY": "p"}
    assert restricted(environment, settings.get) == {
        "PATH": "/bin",
        "HTTPS_PROXY": "p",
        "PIP_INDEX_URL": "https://install/simple",
        "PIP_EXTRA_INDEX_URL": "\nhttps://one\nhttps://two",
        "PIP_PROXY": "http://user:pa%24s@proxy:3128",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def test_no_index_needs_folders_of_packages() -> None:
    settings = {"global.no-index": "true", "global.find-links": "/wheels"}
    kept = restricted({}, settings.get)
    assert (kept["PIP_NO_INDEX"], kept["PIP_FIND_LINKS"]) == ("true", "/wheels")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    return folder


def pip_install(python: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Install the package `tiny` by the command of the Makefile."""
    return subprocess.run(
        [python, "-m", "bundle.pip_install", "tiny"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        "[global]\nuser = true\n",
        "[install]\nuser = true\n",
        "[global]\nrequire-virtualenv = true\ntarget = {elsewhere}\n",
        "[global]\nprefix = {elsewhere}\n",
        "[install]\nroot = {elsewhere}\nno-deps = true\nrequire-hashes = true\n",
        "[global]\nno-index = true\n",
        "[global]\ndry-run = true\n",
    ],
)
@pytest.mark.parametrize("place", ["file", "variables"])
def test_package_is_installed_into_the_environment(
    tmp_path: Path, python: Path, wheels: Path, settings: str, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    text = settings.format(elsewhere=elsewhere)
    text += "" if "[global]" in text else "[global]\n"
    text = text.replace("[global]\n", f"[global]\nfind-links = {wheels}\n", 1)
    environment = {name: v for name, v in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"PYTHONPATH": str(SYSTEMD), "HOME": str(tmp_path / "home")}
    # Without a package index, so that the wheel is found only in the folder of the settings.
    if place == "file":
        (tmp_path / "pip.conf").write_text(text)
        environment["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
    else:
        lines = [line.partition(" = ") for line in text.splitlines() if " = " in line]
        environment |= {f"PIP_{n.upper().replace('-', '_')}": value for n, _, value in lines}
    environment["PIP_INDEX_URL"] = (tmp_path / "no-index").as_uri()
    subprocess.run(
        [python, "-m", "pip", "uninstall", "--quiet", "--yes", "tiny"],
        capture_output=True,
        check=True,
    )
    done = pip_install(python, environment)
    assert done.returncode == 0, done.stderr
    assert not elsewhere.exists()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert (python.parents[1] / "lib" / version / "site-packages" / "tiny.py").is_file()


@pytest.mark.slow
def test_invalid_settings_are_reported_in_one_line(tmp_path: Path, python: Path) -> None:
    (tmp_path / "pip.conf").write_text("user = true\n")
    environment = {**os.environ, "PYTHONPATH": str(SYSTEMD)}
    environment["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
    done = pip_install(python, environment)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("make: the settings of pip cannot be read: ")
    assert "pip.conf" in line
