"""Detect a read-only root: one with an overlay in memory over it (systemd/storage)."""

from __future__ import annotations

from pathlib import Path

#: The kernel parameter in cmdline.txt that asks for the overlay. If the overlay cannot be mounted
#: at boot, the root stays writable.
OVERLAY_PARAMETER = "init=/usr/local/lib/mask-patrol/overlay-init"
KERNEL_COMMAND_LINE, MOUNTS = Path("/proc/cmdline"), Path("/proc/mounts")


def root_is_read_only(
    kernel_command_line: Path = KERNEL_COMMAND_LINE, mounts: Path = MOUNTS
) -> bool:
    """Return whether changes to the root are lost at the next boot."""
    try:
        parameters = kernel_command_line.read_text(encoding="utf-8", errors="replace").split()
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    is_overlay = any(line.split()[1:3] == ["/", "overlay"] for line in lines)
    return OVERLAY_PARAMETER in parameters and is_overlay
