"""The `mask-patrol` command line."""

import sys

# Before any module is imported that Python does not have on Windows.
if sys.platform == "win32":
    sys.exit(
        "mask-patrol: needs Linux; on Windows, use WSL, or prepare a card for a Raspberry Pi with"
        " python systemd/firstrun.py"
    )
