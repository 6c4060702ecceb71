"""`python -m surefoot.cli`."""

import sys

from surefoot.cli.entry import main

sys.exit(main())
