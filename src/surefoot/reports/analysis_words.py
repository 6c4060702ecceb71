"""Text from outside made fit to be shown: one line, no control character, as long as there is room."""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST_NAME = 30
LONGEST_FILE_NAME = 96
# They turn the direction of what follows: a name that holds one could make a whole sentence read backwards.
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)))
_UNPRINTABLE = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
# A condition behind a parameter's name, as "depth[encoder=cnn]"; other brackets are part of somebody's own name.
_CONDITION = re.compile(r"\[([^\[\]]*=[^\[\]]*)\]")
_NO_FILE_NAME = re.compile(r"[^\w.=+-]+|^[.-]+")


def printable(text: str) -> str:
    """The text on one line, without characters that nothing could show."""
    if text.isascii() and text.isprintable():
        return text
    kept = (" " if unicodedata.category(c) in _UNPRINTABLE or c in _TURNING else c for c in text)
    return " ".join("".join(kept).split())


def ended(text: str) -> str:
    """The text on one line with a full stop at its end; it may begin with a name, so no letter is made a capital."""
    plain = printable(text)
    return plain if not plain or plain[-1] in ".!?…" else f"{plain}."


def cut(text: str, longest: int) -> str:
    """The text's beginning, with an ellipsis where it is longer."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def both_ends(text: str, longest: int = LONGEST_NAME) -> str:
    """A name's beginning and end: long names often differ at their end only."""
    plain = printable(text)
    if len(plain) <= longest:
        return plain
    head = (longest - 1) // 2
    return f"{plain[:head]}…{plain[head + 1 - longest :]}"


def file_name(name: str) -> str:
    """The name as a file may be called on every system; what had to be changed much keeps a mark of its own."""
    wanted = _CONDITION.sub(r"_\1", name)
    plain = _NO_FILE_NAME.sub("_", wanted).strip("._ ")
    if plain and plain == wanted and len(plain.encode()) <= LONGEST_FILE_NAME:
        return plain
    mark = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]
    short = plain.encode()[: LONGEST_FILE_NAME - 7].decode("utf-8", "ignore").strip("._ ")
    return f"{short}_{mark}" if short else mark
