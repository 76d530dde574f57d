"""`python -m edge` is `mask-patrol`."""

import sys

from edge.cli.main import main

sys.exit(main())
