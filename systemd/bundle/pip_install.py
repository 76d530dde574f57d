"""`python -m bundle.pip_install ARGUMENTS…`: pip install into this virtual environment, with only
those settings of the user that say where packages come from.
"""

from __future__ import annotations

import os
import sys

from bundle.errors import BundleError
from bundle.pip_environment import pip_environment


def main(arguments: list[str]) -> None:
    """Replace this process by pip; only returns, by SystemExit, if pip cannot be started."""
    try:
        environment = pip_environment()
    except BundleError as error:
        sys.exit(f"make: {error}")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
    os.execve(sys.executable, pip, environment)


if __name__ == "__main__":
    main(sys.argv[1:])
