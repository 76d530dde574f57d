"""`mask-patrol bench` as users run it; its figures are reported, but not checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.bench.benchmark import RESULT_NAME
from tests.support.cli_process import mask_patrol, mask_patrol_error
from tests.support.footage.pictures import write_clip

KEYS = {
    "version", "machine", "passes", "runtimes", "scenes", "empty_core_share", "sizes", "crowd",
    "start", "threads", "alert", "memory_mb", "model_bytes", "instructions", "missing",
}  # fmt: skip


def test_both_pipelines_are_measured_in_one_run(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "bench"
    result = mask_patrol(
        tmp_path, "bench", "--against", "original", "--seconds", "1", "--passes", "1", "--json",
        "--out", out,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found.keys() == KEYS
    assert found["missing"].keys() <= {"instructions", "memory"}
    assert [scene["name"] for scene in found["scenes"]] == ["demo", "empty, still"]
    for scene in found["scenes"]:
        assert list(scene["contenders"]) == ["ours", "original"]
        for contender in scene["contenders"].values():
            assert contender["stages"].keys() >= {"detect", "classify", "frame"}
            runs = contender["stages"]["frame"]["runs"]
            assert runs == scene["frames"] or (contender is scene["contenders"]["ours"] and runs)
            assert contender["cpu_s_per_minute"]["median"] > 0
        assert scene["ratio"]["median"] > 0
    assert found["scenes"][1]["contenders"]["ours"]["as_expected"] is True
    assert found["scenes"][1]["contenders"]["original"]["found"] == "0 faces"
    assert found["scenes"][0]["sparing"] == {"lost": 0, "added": 0, "late_s": []}
    assert found["scenes"][1]["sparing"] is None
    assert found["crowd"]["ratio"]["median"] > 0
    assert found["alert"]["alerts"] > 0
    assert found["model_bytes"]["original"] > found["model_bytes"]["ours"] > 0
    assert found["start"]["online_s"]["median"] > 0
    assert json.loads((out / RESULT_NAME).read_text()) == found
    assert "demo: pass 1 of 1" in result.stderr


def test_ours_alone_on_clips_of_ones_own(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a hall.mp4", [90] * 10)
    result = mask_patrol(tmp_path, "bench", clip, "--passes", "1", "--seconds", "0.3")
    assert result.returncode == 0, result.stderr
    assert f"{clip}: 6 frames" in result.stdout
    assert "demo:" not in result.stdout
    assert "original" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.mp4"], 1, "nowhere.mp4"),
        (["rtsp://camera/1"], 2, "video files and folders"),
        (["--config", "none.toml"], 2, "none.toml"),
        (["--out", "/proc/none"], 1, "cannot write to /proc/none"),
        (["--out", "/proc/self"], 1, "cannot write to /proc/self"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    result = mask_patrol(tmp_path, "bench", *arguments)
    assert result.returncode == code
    assert message in mask_patrol_error(result)


@pytest.mark.parametrize(
    "arguments", [["--passes", "0"], ["--passes", "x"], ["--seconds", "0"], ["--seconds", "nan"]]
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    result = mask_patrol(tmp_path, "bench", *arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert arguments[1] in result.stderr
