"""Ctrl-C ends the commands that make and check bundles without a traceback."""

from __future__ import annotations

import subprocess
import sys
from typing import NoReturn

import pytest


def interrupt(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["audit", "cli", "lock", "release"])
def test_ctrl_c_ends_the_command(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = pytest.importorskip(f"bundle.{name}")  # a release needs more packages
    monkeypatch.setattr(subprocess, "run", interrupt)
    if name == "cli":
        monkeypatch.setattr(module, "make_bundle", interrupt)
    monkeypatch.setattr(sys, "argv", ["make"])
    assert module.main() == 130
