"""The TFLite runtimes that are installed on this machine."""

from __future__ import annotations

from importlib.util import find_spec

from edge.inference.interpreter import RUNTIMES

INSTALLED_RUNTIMES = [name for name, module in RUNTIMES if find_spec(module.partition(".")[0])]
