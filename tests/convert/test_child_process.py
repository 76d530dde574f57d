from __future__ import annotations

from pathlib import Path

import pytest

from convert.child_process import json_answer


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("print('progress')\nprint('{\"ms\": 3}')", {"ms": 3}),
        ('print(\'{"error": "no such runtime"}\')', "no such runtime"),
        ("raise SystemExit(7)", "the process died with code 7"),
    ],
)
def test_answer_is_an_object_or_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, expected: object
) -> None:
    (tmp_path / "child.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert json_answer("child", [], 60.0) == expected
