"""The entry: standard streams made safe, the verb called, every mistake one line."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence

from surefoot.cli.answers import DONE, INTERRUPTED, MISTAKEN, complain
from surefoot.cli.parser import VERBS, make_parser
from surefoot.errors import SurefootError, nearest, quoted


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 the study or a run of it failed, 2 a mistake in what was asked, 130 interrupted."""
    try:
        _open_closed_streams()
        _print_any_character()
        return _answer(sys.argv[1:] if argv is None else list(argv))
    except SurefootError as error:
        complain(" ".join(str(error).split()))
        return MISTAKEN
    except KeyboardInterrupt:
        complain("interrupted; run again to go on")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has closed it (`| head`)
        return DONE
    finally:
        _forget_unwritten()


def _open_closed_streams() -> None:
    """Lets the closed ones of the three standard streams lead nowhere.

    Else the next file that is opened, the record or a worker's socket, would take the stream's place.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _forget_unwritten() -> None:
    """Drops what standard output would not take; Python would complain of it once more at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_any_character() -> None:
    """A terminal that cannot show a character gets its code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _answer(argv: list[str]) -> int:
    parser = make_parser()
    if not argv:
        parser.print_help()
        return DONE
    if argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version"):
        raise SurefootError(f"the verb must come first, its options after it; got {quoted(argv[0])}: surefoot VERB …")
    if not argv[0].startswith("-") and argv[0] not in VERBS:
        raise SurefootError(f'no verb "{argv[0]}" (there is {", ".join(VERBS)}).{nearest(argv[0], VERBS)}')
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        options = re.findall(r"--[a-z-]+", arguments.usage)
        hint = nearest(unknown[0], options)
        listed = ", ".join(options)
        raise SurefootError(f"{argv[0]} does not know {unknown[0]} (it has {listed}){'.' if hint else ''}{hint}")
    return int(arguments.verb(arguments))
