from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.support.fuzz.fuzzer import SECONDS_VARIABLE, SEED_VARIABLE, Fuzzer

SHORT_S, LONG_S = 10.0, 600.0
#: How long Hypothesis may look for the simplest input that fails, and a target may prepare itself.
REST_S = 400.0


@pytest.fixture(
    params=[
        pytest.param("short", marks=[pytest.mark.slow, pytest.mark.timeout(SHORT_S + REST_S)]),
        pytest.param("long", marks=[pytest.mark.soak, pytest.mark.timeout(LONG_S + REST_S)]),
    ]
)
def fuzzer(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[Fuzzer]:
    """The budget of a target: the same inputs in each short run, other inputs in each long one."""
    is_long = request.param == "long"
    seconds = os.environ.get(SECONDS_VARIABLE) or (LONG_S if is_long else SHORT_S)
    seed = os.environ.get(SEED_VARIABLE) or (
        random.SystemRandom().getrandbits(31) if is_long else 0
    )
    made = Fuzzer(float(seconds), int(seed))
    if is_long:
        with capsys.disabled():
            print(f"\n{request.node.name}: {SEED_VARIABLE}={made.first_seed}")
    yield made
    print(f"{made.inputs} inputs")
