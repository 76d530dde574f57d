from __future__ import annotations

import pytest

from edge.bench import daemon_process
from edge.bench.startup import start_figures
from edge.common.errors import UserError
from edge.config.settings import Settings

SETTINGS = Settings(device="door1")


def test_missing_embedded_broker_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemon_process.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install '.\[broker\]' in a clone of the repository"):
        start_figures(SETTINGS, 1)
