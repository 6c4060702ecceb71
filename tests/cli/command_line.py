"""The words that start the command line in a process of its own."""

import sys


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "surefoot.cli", *map(str, arguments)]
