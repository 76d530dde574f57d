"""The list of public data sets."""

from __future__ import annotations

import pytest

from training.cli import main
from training.data.catalogue import PUBLIC_DATA_SETS


@pytest.mark.parametrize("arguments", [[], ["--list"], ["--list", "celeba"]])
def test_list_names_source_licence_and_command(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", *arguments]) == 0
    printed = capsys.readouterr().out
    for each in PUBLIC_DATA_SETS:
        assert all(part in printed for part in (each.url, each.licence, each.layout))
    assert "make train DATA=data/face-mask-12k\n" in printed
    assert "DATA='data/celeba data/maskedface-net' TRAIN_ARGS='--classes 3'" in printed
