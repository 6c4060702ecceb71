"""What a verb answers with: text or JSON on standard output, a complaint on standard error, an exit code."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

from surefoot.errors import SurefootError

DONE, FAILED, MISTAKEN, INTERRUPTED = 0, 1, 2, 130


def put(text: str) -> None:
    """Writes an answer on standard output; raises SurefootError where that is closed or full."""
    if sys.stdout is None:
        raise SurefootError("the answer must go to standard output, which is closed; open it, or send it to a file")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SurefootError(f"the answer cannot be written to standard output: {error.strerror or error}") from error


def complain(text: str) -> None:
    """One line on standard error."""
    with contextlib.suppress(OSError):
        print(f"surefoot: {text}", file=sys.stderr)


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    is_utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    put(json.dumps(document, indent=2, ensure_ascii=not is_utf8, allow_nan=False) + "\n")


def version_of(package: str) -> str:
    """The installed version; empty where there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
