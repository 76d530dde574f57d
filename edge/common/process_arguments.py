"""The arguments of this process, which `ps` and /proc show to every user of the machine."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

STAT = Path("/proc/self/stat")
#: Where arg_start and arg_end are among the values behind the name of the program in
#: /proc/PID/stat: they are fields 48 and 49 in proc(5), and the first value is field 3.
ARG_START, ARG_END = 48 - 3, 49 - 3


def replace_in_arguments(text: str, replacement: str) -> bool:
    """Replace `text` in the arguments that others see; return whether it was there.

    `replacement` is padded with spaces, or cut off, to the length of `text`. The kernel shows the
    memory in which it put the arguments, so that memory is overwritten.
    Arguments that were read before, such as `sys.argv`, do not change. Where /proc is missing,
    nothing changes.
    """
    old = os.fsencode(text)
    try:
        values = STAT.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        start, end = int(values[ARG_START]), int(values[ARG_END])
    except (OSError, ValueError, IndexError):
        return False
    if not old or not 0 < start < end:
        return False
    arguments = ctypes.string_at(start, end - start)
    new = os.fsencode(replacement)[: len(old)].ljust(len(old))
    ctypes.memmove(start, arguments.replace(old, new), len(arguments))
    return old in arguments
