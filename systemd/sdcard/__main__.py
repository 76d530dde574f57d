"""`python -m sdcard`: the command line of `make image`, `make flash`, and `make firstrun`."""

import sys

from sdcard.cli import main

sys.exit(main())
