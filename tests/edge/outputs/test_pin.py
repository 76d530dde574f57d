"""The pins of gpiozero, with its mock pins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UsageError
from edge.config.output_settings import OutputSettings
from edge.outputs.pin import FACTORY_VARIABLE, GpioPin, PinBusyError, _chip_problem
from tests.support.cli_process import environment

gpiozero = pytest.importorskip("gpiozero")


def settings(pin: int | str = 17, active: str = "high") -> OutputSettings:
    return OutputSettings(name="light", pin=pin, active=active)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv(FACTORY_VARIABLE, "mock")
    gpiozero.Device.ensure_pin_factory()
    factory = gpiozero.Device.pin_factory
    yield factory
    factory.reset()


@pytest.mark.parametrize(("active", "off", "pull"), [("high", False, "down"), ("low", True, "up")])
def test_pin_is_off_when_opened_and_kept_off_when_closed(
    mock: Any, active: str, off: bool, pull: str
) -> None:
    pin = GpioPin(settings(active=active))
    line = mock.pin(17)
    assert (line.function, line.state) == ("output", off)
    pin.switch(True)
    assert line.state is not off
    pin.close()
    # Nothing drives the line any more: its resistor must.
    assert (line.function, line.pull, line.state) == ("input", pull, off)
    pin.close()
    GpioPin(settings(active=active)).close()


@pytest.mark.parametrize("name", ["GPIO17", "BOARD11", "J8:11"])
def test_names_of_a_pin(mock: Any, name: str) -> None:
    pin = GpioPin(settings(name))
    assert mock.pin(17).function == "output"
    pin.close()


@pytest.mark.parametrize("name", [45, "BOARD6", "J8:99"])
def test_pin_that_the_board_lacks_is_a_mistake(name: int | str) -> None:
    with pytest.raises(UsageError, match="is no pin of this board that can be switched"):
        GpioPin(settings(name))


def test_pin_that_would_be_on_without_the_daemon_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r'pull-up resistor.*or active = "low"'):
        GpioPin(settings(2))
    GpioPin(settings(2, active="low")).close()


def test_pin_in_use_is_reported() -> None:
    pin = GpioPin(settings())
    with pytest.raises(PinBusyError, match="BOARD11 is in use by another output of this"):
        GpioPin(settings("BOARD11"))
    pin.close()


def test_chips_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    assert "this machine has no pins" in _chip_problem(tmp_path)
    (tmp_path / "gpiochip0").mkdir()  # root can open every file, but no folder
    assert f"{tmp_path}/gpiochip0 cannot be opened" in _chip_problem(tmp_path)
    (tmp_path / "gpiochip0").rmdir()
    (tmp_path / "gpiochip0").touch()
    assert _chip_problem(tmp_path) == ""


def test_lgpio_leaves_nothing_in_the_current_folder(tmp_path: Path) -> None:
    pytest.importorskip("lgpio")
    program = (
        "import os, pathlib, threading; from edge.outputs.lgpio_import import import_lgpio\n"
        "import_lgpio(); import_lgpio(); import lgpio\n"
        "print(pathlib.Path.cwd(), os.listdir())"
    )
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.stdout, result.stderr) == (f"{folder} []\n", "")


@pytest.mark.parametrize("missing", ["gpiozero", "lgpio"])
def test_missing_library_is_one_line_with_the_remedy(tmp_path: Path, missing: str) -> None:
    program = (
        "import os, sys; os.environ.pop('GPIOZERO_PIN_FACTORY', None)\n"
        f"sys.modules[{missing!r}] = None\n"
        "from edge.common.errors import UsageError\n"
        "from edge.config.output_settings import OutputSettings\n"
        "from edge.outputs.pin import GpioPin\n"
        "try: GpioPin(OutputSettings(name='light', pin=17))\n"
        "except UsageError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    (line,) = result.stdout.splitlines()
    assert line.startswith("pins need the libraries gpiozero and lgpio (")
    assert missing in line.partition(")")[0]
    assert "apt install python3-gpiozero python3-lgpio" in line
