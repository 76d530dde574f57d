"""Damaged copies of the demo clip are played as far as possible, without a crash or a leak."""

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

#: Maximum duration of playing one clip. The undamaged clip takes a fifth of a second; FFmpeg may
#: need more time for a damaged clip.
MAX_DURATION_S = 20.0


def damaged(seed: int) -> bytes:
    """Return the demo clip with changed bytes and, for most seeds, a second kind of damage.

    As the second kind, a block is deleted, zeroed, or overwritten, the end is cut off, or the
    index is damaged.
    """
    generator = random.Random(seed)
    data = bytearray(demo_clip().read_bytes())
    for _ in range(generator.choice((1, 3, 10, 100, 1000, 10_000))):
        data[generator.randrange(len(data))] = generator.randrange(256)
    start = generator.randrange(len(data))
    block = slice(start, start + generator.randrange(1, 50_000))
    damage = seed % 6
    if damage == 1:
        del data[block]
    elif damage == 2:
        data[block] = bytes(len(data[block]))
    elif damage == 3:
        data[block] = generator.randbytes(len(data[block]))
    elif damage == 4:
        del data[start:]
    elif damage == 5:
        # The index of an MP4 contains the positions of all frames, so errors in the index
        # have the worst effects.
        index = data.find(b"moov")
        end = min(index + 8000, len(data))
        for _ in range(20):
            data[generator.randrange(index, end)] = generator.randrange(256)
    return bytes(data)


def play(folder: Path, seeds: range) -> list[dict[str, Any]]:
    """Play the undamaged clip and a damaged clip per seed in one process; return all results."""
    paths = [demo_clip()]
    for seed in seeds:
        paths.append(folder / f"{seed}.mp4")
        paths[-1].write_bytes(damaged(seed))
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.footage.play_clips", *map(str, paths)],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=MAX_DURATION_S + 5.0 * len(paths),
        check=False,
    )
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    after = f"seed {seeds[0] + len(outcomes) - 1}"
    assert result.returncode == 0, f"{after}: {result.stderr}"
    messages = [
        line for line in result.stderr.splitlines() if "is damaged or truncated" not in line
    ]
    assert messages == []
    assert len(outcomes) == len(paths)
    return outcomes


def assert_all_survived(whole: dict[str, Any], others: list[dict[str, Any]]) -> None:
    assert (whole["frames"], whole["error"]) == (420, "")
    for outcome in others:
        assert outcome["usable"]
        assert outcome["took_s"] < MAX_DURATION_S
        assert outcome["frames"] or "contains no readable video frame" in outcome["error"]
        assert "\n" not in outcome["error"]
    # FFmpeg's decoder threads must end when the file that they decode is closed.
    assert {o["descriptors"] for o in others} == {whole["descriptors"]}
    assert max(o["threads"] for o in others) <= whole["threads"]
    # Some clips can be played in part, and some not at all.
    assert any(0 < o["frames"] < 420 for o in others)
    assert any(o["error"] for o in others)


def test_25_damaged_clips(tmp_path: Path) -> None:
    whole, *others = play(tmp_path, range(25))
    assert len(others) == 25
    assert_all_survived(whole, others)


@pytest.mark.soak
def test_100_damaged_clips(tmp_path: Path) -> None:
    whole, *others = play(tmp_path, range(100))
    assert len(others) == 100
    assert_all_survived(whole, others)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_daemon_plays_a_damaged_clip_or_rejects_it(tmp_path: Path, seed: int) -> None:
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
