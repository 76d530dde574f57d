"""The task of a process in `TF_CONFIG`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UsageError
from tests.support.makefile import OUTER, ROOT, checkout
from training.cli import main
from training.workers.task import Task, parse_task, task_of_environment

WORKERS = ["10.0.0.1:2222", "10.0.0.2:2222"]


def config(cluster: Any, task: Any) -> str:
    return json.dumps({"cluster": cluster, "task": task, "environment": "cloud"})


def test_first_worker_or_separate_chief_is_chief() -> None:
    second = parse_task(config({"worker": WORKERS}, {"type": "worker", "index": 1}))
    assert second == Task(tuple(WORKERS), 1)
    assert (second.is_chief, second.port, str(second)) == (False, 2222, "worker 1 of 2")
    assert parse_task(config({"worker": WORKERS}, {"type": "worker", "index": "0"})).is_chief
    cluster = {"chief": ["[::1]:1"], "worker": WORKERS}
    assert parse_task(config(cluster, {"type": "chief", "index": 0})).index == 0
    assert parse_task(config(cluster, {"type": "worker", "index": 1})).index == 2


def test_no_variable_means_training_alone() -> None:
    assert task_of_environment({}) is None
    assert task_of_environment({"TF_CONFIG": ""}) is None


TASK = {"type": "worker", "index": 0}
WRONG = {
    "{worker": "it is not JSON",
    "[1]": "it has no cluster",
    "{}": "it has no cluster",
    "[" * 100_000: "it is not JSON",
    config({}, TASK): "it has no cluster",
    config({"worker": []}, TASK): "the cluster has no worker",
    config({"worker": WORKERS}, None): "it has no task",
    config({"worker": WORKERS}, {"type": "worker"}): "index",
    config({"worker": WORKERS}, {"type": "worker", "index": 2}): "have the indices 0 to 1",
    config({"worker": WORKERS}, {"type": "worker", "index": -1}): "have the indices 0 to 1",
    config({"worker": WORKERS}, {"type": "chief", "index": 0}): "of which the cluster has none",
    config({"worker": WORKERS, "ps": ["a:1"]}, TASK): "tasks of type ps",
    config({"worker": ["10.0.0.1"]}, TASK): "is not HOST:PORT",
    config({"worker": ["10.0.0.1:0"]}, TASK): "a port from 1 to 65535",
    config({"worker": [f"10.0.0.1:{'9' * 5000}"]}, TASK): "a port from 1 to 65535",
    config({"worker": ["door..local:1"]}, TASK): "is not HOST:PORT",
    config({"worker": [f"{'a' * 64}:1"]}, TASK): "is not HOST:PORT",
    config({"worker": ["http://10.0.0.1:1"]}, TASK): "is not HOST:PORT",
    config({"worker": ["a:1", "a:1"]}, TASK): "a:1 occurs more than once",
    config({"chief": WORKERS}, {"type": "chief", "index": 0}): "2 chiefs",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_wrong_variable_is_one_line_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_task(text)
    message = str(caught.value)
    assert WRONG[text] in message
    assert "\n" not in message
    assert '"index": 0' in message


@pytest.mark.parametrize("command", ["train", "detector"])
def test_wrong_variable_ends_commands_at_once(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TF_CONFIG", "{worker")
    assert main([command, "--data", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("TF_CONFIG: it is not JSON")
    assert len(error.splitlines()) == 1


def test_batch_must_be_divisible_among_workers() -> None:
    task = Task(("a:1", "b:1", "c:1"), 0)
    task.check_batch(96)
    with pytest.raises(UsageError, match="give --batch 126 or 129 on every machine"):
        task.check_batch(128)


PRINT = '#!/bin/sh\necho "$TF_CONFIG"; echo "$@"\n'


def test_commands_of_the_readme_are_two_workers_of_one_cluster(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    (folder / ".venv" / "bin" / "python").write_text(PRINT)
    text = (ROOT / "training" / "README.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("TF_CONFIG=")]
    printed = [
        subprocess.check_output(["bash", "-c", line], cwd=folder, env=OUTER, text=True).splitlines()
        for line in commands
    ]
    tasks = [parse_task(lines[0]) for lines in printed]
    assert [task.index for task in tasks] == [0, 1]
    assert tasks[0].addresses == tasks[1].addresses
    assert {lines[1].split()[2] for lines in printed} == {"train"}
