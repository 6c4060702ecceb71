"""The command line: `surefoot VERB …`; heavy libraries are loaded by the verb that needs them."""

from surefoot.cli.entry import main

__all__ = ["main"]
