"""The wheel contains model, clip, and schema: once installed, it works without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.cli_process import ROOT

PARTS = ("edge", "convert", "training", "models", "pyproject.toml", "README.md", "LICENSE")


def test_a_wheel_carries_all_that_the_daemon_needs(tmp_path: Path) -> None:
    source, installed = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, source / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps"]
    subprocess.run([*pip, "--target", str(installed), str(source)], check=True, timeout=150)
    result = subprocess.run(
        [sys.executable, "-P", "-m", "edge", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "STATE_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert str(ROOT) not in result.stdout
    assert (installed / "edge" / "bench" / "original.tflite.gz").is_file()
    for part in (
        "static/live.js",
        "templates/live.html",
        "mosquitto/mosquitto.conf",
        "history/migrations/env.py",
        "history/migrations/versions/r0001_baseline.py",
    ):
        assert (installed / "edge" / "dashboard" / part).is_file()
    code = (
        "import edge; from edge.dashboard.history.database import open_database\n"
        "open_database(''); print(edge.__file__)"
    )
    where = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed), "STATE_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed))
    assert (tmp_path / "dashboard.sqlite3").is_file()
