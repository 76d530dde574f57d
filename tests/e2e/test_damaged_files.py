"""A hundred damaged copies of the demo clip: played as far as they go, never a crash or a leak."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.common.paths import demo_clip
from tests.support.cli_process import environment, mask_patrol

#: A whole clip takes a fifth of a second; FFmpeg may try harder over a damaged one.
MAX_DURATION_S = 20.0


def damaged(seed: int) -> bytes:
    """The demo clip with a few or many bytes changed, a block lost, moved or zeroed, or cut off."""
    chance = random.Random(seed)
    data = bytearray(demo_clip().read_bytes())
    for _ in range(chance.choice((1, 3, 10, 100, 1000, 10_000))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    start = chance.randrange(len(data))
    block = slice(start, start + chance.randrange(1, 50_000))
    what = seed % 6
    if what == 1:
        del data[block]
    elif what == 2:
        data[block] = bytes(len(data[block]))
    elif what == 3:
        data[block] = chance.randbytes(len(data[block]))
    elif what == 4:
        del data[start:]
    elif what == 5:
        # The index of an MP4 says where everything lies: the nastiest place to be wrong.
        index = data.find(b"moov")
        for _ in range(20):
            data[chance.randrange(index, min(index + 8000, len(data)))] = chance.randrange(256)
    return bytes(data)


def play(folder: Path, seeds: range) -> list[dict[str, Any]]:
    """What came of each, all played by one process; the first is the whole clip."""
    paths = [demo_clip()]
    for seed in seeds:
        paths.append(folder / f"{seed}.mp4")
        paths[-1].write_bytes(damaged(seed))
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.play_clips", *map(str, paths)],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=MAX_DURATION_S + 5.0 * len(paths),
        check=False,
    )
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    after = f"seed {seeds[0] + len(outcomes) - 1}"
    assert result.returncode == 0, f"{after}: {result.stderr}"
    said = [line for line in result.stderr.splitlines() if "is damaged or truncated" not in line]
    assert said == []
    assert len(outcomes) == len(paths)
    return outcomes


def assert_all_survived(outcomes: list[dict[str, Any]]) -> None:
    whole, *others = outcomes
    assert (whole["frames"], whole["error"]) == (420, "")
    for outcome in others:
        assert outcome["usable"]
        assert outcome["took_s"] < MAX_DURATION_S
        assert outcome["frames"] or "contains no readable video frame" in outcome["error"]
        assert "\n" not in outcome["error"]
    # FFmpeg's decoding threads are gone with their file, too.
    assert {o["descriptors"] for o in others} == {whole["descriptors"]}
    assert max(o["threads"] for o in others) <= whole["threads"]
    # The damage is neither so slight nor so bad that nothing is tried by it.
    assert any(0 < o["frames"] < 420 for o in others)
    assert any(o["error"] for o in others)


def test_a_quarter_of_them(tmp_path: Path) -> None:
    assert_all_survived(play(tmp_path, range(25)))


@pytest.mark.soak
def test_all_of_them(tmp_path: Path) -> None:
    assert_all_survived(play(tmp_path, range(100)))


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_daemon_ends_as_after_any_recording_or_says_what_is_wrong(
    tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "damaged.mp4"
    path.write_bytes(damaged(seed))
    for pace in ("fast", "realtime"):
        result = mask_patrol(
            tmp_path, "run", "--no-mqtt", "--pace", pace, "--source", path, "--log-level", "error"
        )
        assert "Traceback" not in result.stderr
        if result.returncode:
            assert result.returncode == 1
            (line,) = result.stderr.splitlines()
            assert "damaged.mp4 contains no readable video frame" in line
        else:
            assert result.stderr == ""
