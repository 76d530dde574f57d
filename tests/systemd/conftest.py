from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.systemd.bundles import make_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for this machine, with the wheels of both Pythons."""
    return make_bundle(tmp_path_factory.mktemp("bundle"))
