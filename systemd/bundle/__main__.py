"""`python -m bundle`: the command line of `make bundle`."""

import sys

from bundle.cli import main

sys.exit(main())
