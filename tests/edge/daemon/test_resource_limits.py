from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SAYS = """
import json, os, cv2
from edge.config.settings import LoadSettings
from edge.daemon.resource_limits import limit_resources
found = []
if os.geteuid() == 0:
    os.nice(-2)
before = os.nice(0)
limit_resources(LoadSettings())
assert os.nice(0) == before
for nice, threads in ((0, 1), (7, 2), (3, 1)):
    limit_resources(LoadSettings(nice=nice, opencv_threads=threads))
    found.append((os.nice(0), cv2.getNumThreads()))
print(json.dumps(found))
"""


def test_a_process_gives_way_and_never_takes_back(tmp_path: Path) -> None:
    """In a process of its own: what gives way cannot be undone."""
    done = subprocess.run(
        [sys.executable, "-c", SAYS], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    (_, first), (nice, second), (later, third) = json.loads(done.stdout)
    assert (first, second, third) == (1, 2, 1)
    assert nice >= 7
    assert later == nice
