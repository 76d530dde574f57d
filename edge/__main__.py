"""`python -m edge` is `mask-patrol`."""

import sys

from edge.cli import main

sys.exit(main())
