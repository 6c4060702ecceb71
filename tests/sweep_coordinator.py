"""Runs the command line, and dies by kill -9 at the n-th write to its record: `7b` right before it, `7` after it."""

import contextlib
import os
import signal
import sys

from surefoot import cli
from surefoot.storage.database import Database


def die_at_write(n, *, is_done):
    """The n-th writing transaction kills the process, right before it begins or right after it is on disk."""
    together, count = Database.together, 0

    @contextlib.contextmanager
    def counted(self, **options):
        nonlocal count
        if self._transaction is not None:
            with together(self, **options) as transaction:
                yield transaction
            return
        count += 1
        mine = count
        if mine == n and not is_done:
            os.kill(os.getpid(), signal.SIGKILL)
        with together(self, **options) as transaction:
            yield transaction
        if mine == n:
            os.kill(os.getpid(), signal.SIGKILL)

    Database.together = counted


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    at = sys.argv[1]
    if at != "never":
        die_at_write(int(at.strip("b")), is_done=not at.endswith("b"))
    sys.exit(cli.main(sys.argv[2:]))
