"""`python -m sdcard image | flash | firstrun`."""

import sys

from sdcard.cli import main

sys.exit(main())
