"""``python -m bitjoule``."""

import sys

from bitjoule.cli import main

sys.exit(main())
