"""Without the extra `train` the tests of conversion cannot even be imported."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("ai_edge_quantizer") else ["test_*.py"]
