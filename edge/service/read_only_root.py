"""Whether the root is read-only, with an overlay in memory over it (systemd/storage)."""

from __future__ import annotations

from pathlib import Path

#: The word by which cmdline.txt asks for it. Where it could not be had, the root is written to.
WORD = "init=/usr/local/lib/mask-patrol/overlay-init"
KERNEL_WORDS, MOUNTS = Path("/proc/cmdline"), Path("/proc/mounts")


def root_is_read_only(words: Path = KERNEL_WORDS, mounts: Path = MOUNTS) -> bool:
    """What is changed on the root is gone after the next start."""
    try:
        asked = WORD in words.read_text(encoding="utf-8", errors="replace").split()
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return asked and any(line.split()[1:3] == ["/", "overlay"] for line in lines)
