from __future__ import annotations

import json
import subprocess
import sys

#: Applies limits in a process of its own, because a nice value cannot be lowered again.
CODE = """
import json, os, cv2
from edge.config.settings import LoadSettings
from edge.daemon.resource_limits import limit_resources
applied = []
if os.geteuid() == 0:
    os.nice(-2)
before = os.nice(0)
limit_resources(LoadSettings())
assert os.nice(0) == before
for nice, threads in ((0, 1), (7, 2), (3, 1)):
    limit_resources(LoadSettings(nice=nice, opencv_threads=threads))
    applied.append((os.nice(0), cv2.getNumThreads()))
print(json.dumps(applied))
"""


def test_nice_value_rises_and_never_falls() -> None:
    process = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    (_, first_threads), (nice, second_threads), (later, third_threads) = json.loads(process.stdout)
    assert (first_threads, second_threads, third_threads) == (1, 2, 1)
    assert nice >= 7
    assert later == nice
