"""Batches made by `tf.data`: their order, shares, random numbers and errors.

TensorFlow runs in a process of its own.
"""

from __future__ import annotations

import json

import pytest

from tests.support.training.datasets import python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROGRAM = """
import json, sys, threading
from training.common.quiet_keras import import_keras
import_keras()
import numpy as np
from training.fit.input_pipeline import MAX_BATCHES_AHEAD, batches_in_background
from training.workers.share import Share

order = np.random.default_rng(3).permutation(64)
made, lock = [], threading.Lock()

def make(chosen, generators):
    with lock:
        made.append(len(chosen))
    values = [rng.random() for _, rng in zip(chosen, generators)]
    return chosen.astype(np.uint8), np.array(values, np.float32)

def batches(share=None, size=12):
    return list(batches_in_background(make, 2, order, size, [7, 2], share))

def failing(chosen, generators):
    if chosen[0] == order[8]:
        raise ValueError("the third batch")
    return make(chosen, generators)

whole = batches()
rng = [np.random.default_rng([7, 2, step]) for step in range(5)]
found = {
    "samples": np.concatenate([samples for samples, _ in whole]).tolist() == order[:60].tolist(),
    "numbers": all(
        numbers.tolist() == [np.float32(rng[step].random()) for _ in range(12)]
        for step, (_, numbers) in enumerate(whole)
    ),
    "again": [b[1].tolist() for b in batches()] == [b[1].tolist() for b in whole],
}
one = batches(Share(0, 1))
for count in (2, 3):
    shares = [batches(Share(index, count)) for index in range(count)]
    for column in (0, 1):
        together = np.concatenate(
            [np.stack([each[column] for each in rows], axis=1).ravel() for rows in zip(*shares)]
        )
        alone = np.concatenate([rows[column] for rows in one])
        found[f"{count} shares, array {column}"] = together.tolist() == alone.tolist()
    found[f"rows of {count} shares"] = {len(rows[0]) for each in shares for rows in each} == {
        12 // count
    }
failed = batches_in_background(failing, 2, order, 4, [1])
found["before the error"] = [len(next(failed)[0]), len(next(failed)[0])] == [4, 4]
try:
    next(failed)
except ValueError as error:
    found["error"] = str(error) == "the third batch"
ahead = []  # the threads of the failed pipeline may still make batches

def make_few(chosen, generators):
    ahead.append(len(chosen))
    return make(chosen, generators)

few = batches_in_background(make_few, 2, order, 1, [1])
next(few)
few.close()
found["ahead"] = len(ahead) <= MAX_BATCHES_AHEAD + 4
sys.stdout.write(json.dumps(found))
"""


def test_batches_of_shares_make_up_the_whole_batch() -> None:
    done = python("-c", PROGRAM)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found.values()) == {True}, found
