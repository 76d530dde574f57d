"""Training by several workers, which are real processes on this machine."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from tests.support.ports import free_port
from tests.support.training import datasets
from tests.support.training.boxed_pictures import write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

Done = CompletedProcess[str]
TIMEOUT_S = 1700.0
FOLDERS = {"WithMask": "mask", "WithoutMask": "no_mask", "IncorrectMask": "incorrect_mask"}


def workers(run: Path, count: int, *more: str, compiled: bool = False) -> list[Done]:
    """Run `count` workers to their end and return what they printed, the chief's first.

    Each has its own folder in `run`, as on machines of their own. `compiled` is as in
    `datasets.python`.
    """
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(count)]
    started: list[Future[Done]] = []
    with ThreadPoolExecutor() as pool:
        for index in range(count):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            started.append(
                pool.submit(
                    datasets.python,
                    *more,
                    *("--run-folder", run / str(index)),
                    compiled=compiled,
                    timeout_s=TIMEOUT_S,
                    environment={"TF_CONFIG": json.dumps(task), "INDEX": str(index)},
                )
            )
    return [future.result() for future in started]


def history(run: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((run / "0" / "history.json").read_bytes())
    return found


def weights(run: Path) -> list[Any]:
    """Return the weights and the optimizer's state in the checkpoint."""
    with np.load(run / "0" / "state.npz") as stored:
        return [stored[name] for name in sorted(stored.files) if name != "progress"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of which no picture is a near-duplicate of another."""
    root = tmp_path_factory.mktemp("data") / "tiny"
    seed = 0
    for split in ("Train", "Validation", "Test"):
        for folder, label in FOLDERS.items():
            for number in range(8):
                seed += 1
                picture = datasets.pattern(64, seed).copy()
                face = datasets.face(label, np.random.default_rng(seed))
                picture[20:, 16:48] = face[20:, 16:48]
                datasets.save(root / split / folder / f"{number}.png", picture)
    return root


def train(data: Path, *more: str) -> list[str]:
    return [
        *("-m", "training", "train", "--data", str(data), "--net", "small", "--batch", "8"),
        # A higher rate enlarges the differences of rounding: Adam divides by small gradients.
        *("--epochs", "2", "--learning-rate", "1e-4", *more),
    ]


def test_two_workers_train_as_one(tmp_path: Path, data: Path) -> None:
    (alone,) = workers(tmp_path / "one", 1, *train(data))
    assert alone.returncode == 0, alone.stderr
    chief, other = workers(tmp_path / "two", 2, *train(data))
    assert (chief.returncode, other.returncode) == (0, 0), chief.stderr + other.stderr
    for one, two in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], abs=2e-4)
        assert two["score"] == pytest.approx(one["score"], abs=2e-3)
    for one, two in zip(weights(tmp_path / "one"), weights(tmp_path / "two"), strict=True):
        assert np.abs(np.float64(one) - two).max() < 2e-3
    assert "wrote" in chief.stdout
    # The other worker writes nothing, and says who does.
    assert not (tmp_path / "two" / "1").exists()
    assert other.stdout == ""
    assert "is the chief; it shows the progress and writes all files" in other.stderr
    assert "epoch" not in other.stderr


#: Trains as `python -m training`, but the worker VICTIM kills itself when the epoch EPOCH starts.
KILLED = """
import os, signal, sys
from training.cli import main
from training.fit.batches import TrainingSet
epoch = TrainingSet.epoch
def epoch_or_death(self, seed, number, *more):
    if [os.environ["INDEX"], str(number + 1)] == sys.argv[1:3]:
        os.kill(os.getpid(), signal.SIGKILL)
    return epoch(self, seed, number, *more)
TrainingSet.epoch = epoch_or_death
raise SystemExit(main(sys.argv[3:]))
"""


def test_survivor_ends_and_all_resume_from_the_last_epoch(tmp_path: Path, data: Path) -> None:
    command = train(data, "--classes", "3", "--epochs", "3")
    kept: list[dict[str, Any]] = []
    for victim, epoch, more in ((1, 2, ()), (0, 3, ("--resume",))):
        killed = ("-c", KILLED, str(victim), str(epoch))
        ended = workers(tmp_path, 2, *killed, *command[2:], *more)
        survivor = ended[1 - victim]
        assert (ended[victim].returncode, survivor.returncode) == (-9, 1), survivor.stderr
        message = survivor.stderr.splitlines()[-1]
        assert f"the connection to worker {victim} (127.0.0.1:" in message
        assert "start all workers again: with --resume" in message
        assert "Traceback" not in survivor.stderr
        *before, last = history(tmp_path)
        assert (before, last["epoch"]) == (kept, epoch - 1)
        kept.append(last)
    resumed = workers(tmp_path, 2, *command, "--resume")
    assert [each.returncode for each in resumed] == [0, 0], resumed[0].stderr + resumed[1].stderr
    *before, last = history(tmp_path)
    assert (before, last["epoch"]) == (kept, 3)
    assert (tmp_path / "0" / "mask.json").is_file()


def detector(data: Path) -> list[str]:
    return [
        *("-m", "training", "detector", "--data", str(data), "--size", "160x128"),
        *("--batch", "4", "--epochs", "1", "--learning-rate", "1e-4"),
    ]


def test_two_workers_train_a_detector_as_one(tmp_path: Path) -> None:
    boxes = [((20.0 + 4 * number, 30.0, 30.0, 36.0), "face") for number in range(24)]
    root = write_jsonl(tmp_path / "j", {f"{n}.png": [box] for n, box in enumerate(boxes)})
    (alone,) = workers(tmp_path / "one", 1, *detector(root))
    assert alone.returncode == 0, alone.stderr
    ended = workers(tmp_path / "two", 2, *detector(root))
    assert [each.returncode for each in ended] == [0, 0], ended[0].stderr + ended[1].stderr
    (one,), (two,) = history(tmp_path / "one"), history(tmp_path / "two")
    for name in ("loss", "score_loss", "box_loss"):
        assert two[name] == pytest.approx(one[name], rel=1e-3)
