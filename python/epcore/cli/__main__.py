"""``python -m epcore.cli``."""

import sys

from epcore.cli import main

sys.exit(main())
