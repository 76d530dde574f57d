"""Runs a check on generated inputs for a given time, and reports the seed of a failure.

The inputs come from Hypothesis in rounds, each of which has a seed of its own. The same first seed
gives the same inputs in the same order; a faster machine only gets further.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

#: Environment variables: the seconds for each target, and the seed of the first round.
SECONDS_VARIABLE, SEED_VARIABLE = "MASK_PATROL_FUZZ_SECONDS", "MASK_PATROL_FUZZ_SEED"
#: The memory that checks may need at once in addition to what this process has at their start. It
#: is far above what the checks need, and far below what a hostile input could ask for.
MAX_EXTRA_MB = 128
ROUND_EXAMPLES = 50

InputT = TypeVar("InputT")


class Fuzzer:
    """The budget of one target: how long it runs, and with which inputs it begins."""

    def __init__(
        self, seconds: float, first_seed: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Run for about `seconds`; `clock` returns seconds since any fixed point."""
        self.first_seed = first_seed
        #: How many inputs were checked.
        self.inputs = 0
        self._seconds = seconds
        self._clock = clock

    def run(
        self,
        check: Callable[[InputT], None],
        inputs: SearchStrategy[InputT],
        corpus: Iterable[InputT] = (),
        examples: int = ROUND_EXAMPLES,
        share: float = 1.0,
    ) -> None:
        """Call `check` with each input of `corpus`, then with generated inputs until time is up.

        A round has `examples` inputs, and at least one round runs; `share` is the part of the
        budget that may be used. Raises what `check` raises, for the simplest input that Hypothesis
        finds, with a note that names the seed. Raises AssertionError if this process needed more
        than `MAX_EXTRA_MB` in addition for one input.
        """

        def check_one(value: InputT) -> None:
            self.inputs += 1
            before_mb = _reset_peak_mb()
            check(value)
            extra_mb = memory_mb("VmHWM") - before_mb
            assert extra_mb < MAX_EXTRA_MB, f"{extra_mb:.0f} MB"

        end_s = self._clock() + self._seconds * share
        for item in corpus:
            check_one(item)
        for number in itertools.count(self.first_seed):
            _run_round(check_one, inputs, examples, number)
            if self._clock() >= end_s:
                return


def _run_round(
    check: Callable[[InputT], None], inputs: SearchStrategy[InputT], examples: int, number: int
) -> None:
    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(inputs)
    def check_all(value: InputT) -> None:
        check(value)

    try:
        check_all()
    except BaseException as error:
        error.add_note(f"To repeat it: {SEED_VARIABLE}={number}")
        raise


def _reset_peak_mb() -> float:
    """Begin to measure the peak of this process's memory again; return its present size in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # see proc_pid_clear_refs(5)
    return memory_mb("VmHWM")


def memory_mb(field: str, process: int | str = "self") -> float:
    """Return a size in proc_pid_status(5), such as VmHWM, the peak of the memory, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024.0
