"""Entry point of `python -m edge`, which is the same as `mask-patrol`."""

import sys

from edge.cli.main import main

sys.exit(main())
