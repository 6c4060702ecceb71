"""What every test may count on."""

import signal


def pytest_configure():
    """Makes Ctrl-C mean something to the processes that tests start.

    A shell that starts its command in the background leaves SIGINT ignored, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
