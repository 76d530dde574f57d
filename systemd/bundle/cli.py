"""The command line of `make bundle`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bundle.build import make_bundle
from bundle.errors import BundleError
from bundle.wheels import MACHINES, PYTHONS, ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a bundle; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="make bundle",
        description="Make one file that installs Mask Patrol on a device without a network.",
    )
    parser.add_argument(
        "--machine",
        choices=MACHINES,
        default="aarch64",
        help="architecture of the device (default: %(default)s, a Raspberry Pi)",
    )
    parser.add_argument(
        "--python",
        choices=PYTHONS,
        action="append",
        help="include the wheels for this Python only (default: for all)",
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "dist", help="output folder (default: dist)"
    )
    parser.add_argument(
        "--unpacked", action="store_true", help="make a folder instead of a tar archive"
    )
    options = parser.parse_args(arguments)
    try:
        make_bundle(options.machine, options.python or PYTHONS, options.out, options.unpacked)
    except (BundleError, OSError) as error:
        sys.stderr.write(f"make bundle: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
