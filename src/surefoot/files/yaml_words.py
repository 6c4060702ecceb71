"""Values as YAML on one line, and sentences as comments, whatever is in them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

WIDTH = 116
# What a YAML reader, of 1.1 too, could take for something else than text.
WORDS = ("true", "false", "null", "none", "yes", "no", "on", "off", "y", "n", "nan", "inf")


def flow(value: Any) -> str:
    """The value on one line: JSON, which YAML 1.2 reads, with keys and words bare where they can be."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value) if isinstance(value, str) else json.dumps(value)


def scalar(text: str) -> str:
    """The text bare where no YAML reader could take it for anything else, else in double quotes."""
    is_plain = text.isascii() and text.replace("_", "a").replace("-", "a").isalnum()
    if is_plain and text[0].isalpha() and text.lower() not in WORDS:
        return text
    return "".join(['"', *map(_escaped, text), '"'])


def comment(text: str) -> list[str]:
    """The text as comment lines; what cannot be printed stands there as a question mark."""
    plain = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return [f"# {line}" for line in textwrap.wrap(plain, WIDTH, break_on_hyphens=False)]


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    place = ord(character)
    return f"\\u{place:04x}" if place <= 0xFFFF else f"\\U{place:08x}"
