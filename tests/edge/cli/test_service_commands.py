from __future__ import annotations

import pytest

from edge.cli.main import main
from edge.cli.service_commands import MAX_TIMEOUT_S, MIN_TIMEOUT_S


@pytest.mark.parametrize("seconds", [MIN_TIMEOUT_S / 2.0, MAX_TIMEOUT_S * 2.0])
def test_timeout_out_of_range_is_a_usage_error(
    seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["update", "bundle.tar", "--within", str(seconds)]) == 2
    assert "--within must be 1 to 3600 seconds" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["bundle.tar", "--back"], ["--back", "--settle"], ["bundle.tar", "--settle"]]
)
def test_update_needs_exactly_one_action(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["update", *arguments])
    assert exit_.value.code == 2
    assert "usage: mask-patrol update" in capsys.readouterr().err
