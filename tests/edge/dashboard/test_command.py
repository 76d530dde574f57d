"""The command line of `mask-patrol dashboard`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from edge.cli.main import main
from edge.dashboard.command import REQUIRED_PACKAGES
from tests.support.cli_process import ROOT


def test_required_packages_are_those_of_the_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {
        re.split(r"[^A-Za-z0-9-]", line)[0]
        for line in project["optional-dependencies"]["dashboard"]
    }
    distributions = importlib.metadata.packages_distributions()
    required = {distributions[package][0].lower() for package in REQUIRED_PACKAGES}
    assert required == extra


@pytest.mark.parametrize("package", REQUIRED_PACKAGES)
def test_missing_package_is_reported(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    assert main(["dashboard"]) == 1
    assert f"the dashboard is not installed ({package} is missing)" in capsys.readouterr().err


def test_options_change_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(
        "edge.dashboard.server.dashboard",
        lambda settings, _config: started.append(settings) or 0,
    )
    config = tmp_path / "config.toml"
    config.write_text('[dashboard]\nhost = "127.0.0.2"\nport = 81\n')
    arguments = ["dashboard", "--config", str(config), "--broker", "broker.lan:1884"]
    assert main([*arguments, "--port", "82"]) == 0
    (settings,) = started
    assert (settings.dashboard.host, settings.dashboard.port) == ("127.0.0.2", 82)
    assert (settings.mqtt.host, settings.mqtt.port) == ("broker.lan", 1884)
