"""Entries of a YAML file: asked for strictly, and every mistake told by file, line and the nearest known key."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from surefoot.errors import nearest, quoted
from surefoot.files.plan_document import Path_, PlanDocument, kind_of

MOST_NAME_BYTES = 200
# What lies in a home beside the folders of studies and sweeps.
TAKEN_NAMES = ("artifacts", "record.db", "run.lock", "run.lock.json", "spool")

Name = Annotated[str, Field(min_length=1, max_length=80)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """An entry that takes its own keys and nothing else, each in its own type."""

    model_config = ConfigDict(extra="forbid", strict=True)


Shape = TypeVar("Shape", bound=BaseModel)
# Where in a document which entry stands: a pattern of keys, * for any.
Entries = Mapping[tuple[str, ...], type[BaseModel]]

# What pydantic asks of a value, in our words.
MUST: Mapping[str, str] = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_unicode": "text",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "list_type": "a list",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "a list of {min_length} entries at least",
    "too_long": "a list of {max_length} entries at most",
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
}
# Control characters, halves of characters and line ends.
UNPRINTED = ("Cc", "Cs", "Zl", "Zp")


def shaped(
    shape: type[Shape],
    document: PlanDocument,
    value: Any,
    where: Path_ = (),
    *,
    within: Entries | None = None,
    reasons: Mapping[Path_, str] | None = None,
) -> Shape:
    """The entry that stands at `where`; refuses the first thing in which it has another shape.

    `within` are the entries inside this one; `reasons` say why a number has the lower bound that it has.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        _refuse_shape(document, error, where, {(): shape, **(within or {})}, reasons or {})


def hinted(message: str, word: str, known: Sequence[str]) -> str:
    """The message with the nearest known word behind it, where one is near."""
    hint = nearest(word, known)
    return f"{message}.{hint}" if hint else message


def name_mistake(name: str) -> str:
    """Why it cannot stand in a line of text, or be a file's name; empty where it can."""
    if not name or name != name.strip() or any(unicodedata.category(c) in UNPRINTED for c in name):
        return f"must be a name on one line, with no space around it; got {quoted(name)}"
    if len(name.encode()) > MOST_NAME_BYTES:
        return f"must have at most {MOST_NAME_BYTES} bytes as UTF-8; got {len(name.encode())}"
    return ""


def folder_name_mistake(name: str) -> str:
    """Why it cannot be the name of a folder in a home; empty where it can."""
    if name_mistake(name):
        return name_mistake(name)
    if any(c in name for c in "/\\") or name.startswith((".", "-")):
        return f"must be a name for a folder: no slash, no dot or dash in front; got {quoted(name)}"
    if name.casefold() in TAKEN_NAMES or name.casefold().startswith("record.db"):
        return f"must not be {quoted(name)}: a home keeps something else under that name"
    return ""


def came(value: Any) -> str:
    """What came, as a message shows it."""
    return kind_of(value) if isinstance(value, dict | list) else quoted(value)


def _refuse_shape(
    document: PlanDocument, error: ValidationError, above: Path_, entries: Entries, reasons: Mapping[Path_, str]
) -> NoReturn:
    # An unknown key is usually the cause of the missing one beside it, so it is told first.
    found = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]
    inside = tuple(key for key in found["loc"] if key not in ("function-after", "[key]"))
    where = (*above, *inside)
    if found["type"] == "extra_forbidden":
        known = _known_keys(inside[:-1], entries)
        document.refuse(where, hinted(f"is not a known key; known are {', '.join(known)}", str(where[-1]), known))
    if found["type"] == "missing":
        document.refuse(where[:-1], f'must have "{where[-1]}"')
    document.refuse(where, _shape_mistake(found, reasons.get(inside, "")))


def _shape_mistake(found: ErrorDetails, reason: str) -> str:
    """What must hold and what came, for one of pydantic's findings."""
    kind, got, bounds = found["type"], found["input"], found.get("ctx", {})
    if kind == "literal_error":
        choices = bounds["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return hinted(f"must be one of {', '.join(choices)}; got {came(got)}", str(got), choices)
    if kind == "greater_than_equal" and reason:
        return f"must be at least {bounds['ge']}, as {reason}; got {came(got)}"
    if kind not in MUST:
        return f"is wrong: {found['msg'][0].lower() + found['msg'][1:]}; got {came(got)}"
    advice = ". Fill it in, or delete the line" if got is None else ""
    return f"must be {MUST[kind].format(**bounds)}; got {came(got)}{advice}"


def _known_keys(where: Path_, entries: Entries) -> list[str]:
    for pattern, entry in entries.items():
        if len(pattern) == len(where) and all(p in ("*", k) for p, k in zip(pattern, where, strict=True)):
            return [field.alias or name for name, field in entry.model_fields.items()]
    return []
