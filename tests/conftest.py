"""What every test may count on."""

import os
import signal
import sys
from pathlib import Path


def pytest_configure():
    """Makes Ctrl-C and `python` mean something to the processes that tests start.

    A shell that starts its command in the background leaves SIGINT ignored, and children inherit that. Where the
    environment is not activated, the `python` of a command line would be the system's, which has no scikit-learn.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
