from __future__ import annotations

from pathlib import Path

import pytest

from edge.bench.isolated_run import measure_isolated
from edge.bench.settings_file import as_toml
from edge.common.errors import UserError
from edge.config.settings import Settings

SETTINGS = Settings(device="door1")


@pytest.mark.parametrize("contender", ["ours", "original"])
def test_isolated_run_reports_peak_memory(contender: str, tmp_path: Path) -> None:
    config = tmp_path / "bench.toml"
    config.write_text(as_toml(SETTINGS))
    answer = measure_isolated(contender, config, frames=2)
    assert answer["frames"] == 2
    assert answer["peak_mb"] > 1.0


def test_failed_isolated_run_reports_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ours failed in its own process: cannot read") as caught:
        measure_isolated("ours", tmp_path / "none.toml", frames=1)
    assert "\n" not in str(caught.value)
