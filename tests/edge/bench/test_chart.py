from __future__ import annotations

from pathlib import Path

import pytest

from edge.bench import chart
from edge.bench.chart import write_chart
from edge.common.errors import UserError
from tests.support.bench_figures import result


def test_chart_is_a_png(tmp_path: Path) -> None:
    assert write_chart(result(), tmp_path).read_bytes().startswith(b"\x89PNG")


def test_missing_matplotlib_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install '.\[bench\]' in a clone of the repository"):
        write_chart(result(), tmp_path)
    assert list(tmp_path.iterdir()) == []
