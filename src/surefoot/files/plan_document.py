"""A YAML 1.2 text with the line of every key in it, read safely: no tags, no bombs, no other encoding."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat

from surefoot.errors import PlanError, quoted

LARGEST_BYTES = 300_000
MOST_NODES = 50_000
DEEPEST = 20
FIRST_KEYS = {"plan": "study", "sweep": "sweep"}
# What only one of the two has at its top, and the verb for it.
SIGNS = {"plan": ("study", "experiments"), "sweep": ("sweep", "parameters")}
VERBS = {"plan": "run", "sweep": "sweep"}

Path_ = tuple[str | int, ...]


def read_text(path: Path, *, kind: str = "plan") -> str:
    """The text of a plan's (or a sweep's) file; raises PlanError for one that is missing, too large or not UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        advice = f"; surefoot init --out {path} writes one to start from" if kind == "plan" else ""
        raise PlanError(f"{path}: there is no such file{advice}") from error
    except IsADirectoryError as error:
        raise PlanError(f"{path}: a {kind} must be a file; this is a folder") from error
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST_BYTES:
        raise PlanError(f"{path}:1: a {kind} must have at most {LARGEST_BYTES:,} bytes; this file has more")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:1000]:
        raise PlanError(f"{path}:1: a {kind} must be UTF-8 text; got UTF-16 or a binary file. Save it again as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        byte = f"0x{data[error.start]:02x}"
        raise PlanError(
            f"{path}:{line}: a {kind} must be UTF-8 text; got the byte {byte}. Save it again as UTF-8"
        ) from error


class PlanDocument:
    """A YAML text with the line of every key in it; `kind` is what messages call it: a plan or a sweep."""

    def __init__(self, text: str, path: str, *, kind: str = "plan") -> None:
        self.text, self.path, self.kind = text, path, kind
        self.tree = self._load()
        self._nodes = 0
        self.plain = self._plain(self.tree, ())
        self._refuse_other_kind()

    def refuse(self, where: Path_, message: str) -> NoReturn:
        """Raises PlanError with file, line and the key's place."""
        place = _spelled(where) or f"the {self.kind}"
        raise PlanError(f"{self.path}:{self.line(where)}: {place} {message}")

    def _refuse_other_kind(self) -> None:
        other = "plan" if self.kind == "sweep" else "sweep"
        signs = [key for key in SIGNS[other] if key in self.plain]
        if signs and not any(key in self.plain for key in SIGNS[self.kind]):
            line = self.line((signs[0],))
            raise PlanError(f"{self.path}:{line}: this is a {other}; `surefoot {VERBS[other]} {self.path}` is for it")

    def _load(self) -> Any:
        directive = re.search(r"^%YAML\s+(?!1\.2\s*$)\S+", self.text, re.MULTILINE)
        if directive is not None:
            line = self.text[: directive.start()].count("\n") + 1
            raise PlanError(f"{self.path}:{line}: a {self.kind} must be YAML 1.2; got {quoted(directive[0])}")
        try:
            tree = YAML(typ="rt", pure=True).load(StringIO(self.text))
        except MarkedYAMLError as error:
            mark = error.problem_mark
            line = mark.line + 1 if mark else 1
            raise PlanError(f"{self.path}:{line}: {_yaml_problem(error.problem or '', self.kind)}") from error
        except RecursionError as error:
            raise PlanError(f"{self.path}:1: the {self.kind} is too deep: lists in lists in lists") from error
        except (YAMLError, ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
            raise PlanError(f"{self.path}:{_line_in(error)}: not valid YAML: {_first_line(error)}") from error
        if tree is None:
            advice = "; `surefoot init` writes one to start from" if self.kind == "plan" else ""
            raise PlanError(f"{self.path}:1: the {self.kind} is empty{advice}")
        if not isinstance(tree, CommentedMap):
            first = FIRST_KEYS[self.kind]
            raise PlanError(f"{self.path}:1: a {self.kind} must be keys with values ({first}: …); got {kind_of(tree)}")
        return tree

    def _plain(self, node: Any, where: Path_) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES or len(where) > DEEPEST:
            self.refuse(where[:1], f"is too large or too deep for a {self.kind}; are there aliases within aliases?")
        tag = getattr(node, "tag", None)
        if isinstance(node, TaggedScalar) or (isinstance(node, CommentedBase) and getattr(tag, "value", None)):
            name = getattr(tag, "value", None) or "?"
            self.refuse(where, f"must be a plain value without a YAML tag; got {quoted(str(name))}")
        if isinstance(node, CommentedMap):
            for key in node:
                if not isinstance(key, str):
                    self.refuse(where, f"must have text as keys; got {quoted(key)}. Put it in quotes")
            return {self._whole(key, where): self._plain(value, (*where, str(key))) for key, value in node.items()}
        if isinstance(node, CommentedSeq):
            return [self._plain(value, (*where, i)) for i, value in enumerate(node)]
        if isinstance(node, CommentedBase):
            self.refuse(where, f"must be plain keys, a list or a value; got {quoted(type(node).__name__)}")
        if isinstance(node, str):
            return self._whole(node, where)
        return _plain_scalar(node)

    def _whole(self, text: str, where: Path_) -> str:
        """The text with characters that JSON writes as two halves put together; refuses a half alone."""
        try:
            return str(text).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self.refuse(where, f"must be text; got half a character in {quoted(str(text))}")

    def line(self, where: Path_) -> int:
        """The line (from 1) of a key, or of the nearest one above it that stands in the text."""
        node, line = self.tree, 0
        for key in where:
            if not isinstance(node, CommentedMap | CommentedSeq):
                break
            try:
                line = node.lc.key(key)[0] if isinstance(node, CommentedMap) else node.lc.item(key)[0]
                node = node[key]
            except (KeyError, IndexError, TypeError):
                break
        return int(line) + 1


def _plain_scalar(node: Any) -> Any:
    if isinstance(node, bool | ScalarBoolean):
        return bool(node)
    if node is None:
        return node
    if isinstance(node, ScalarFloat | float):
        return float(node)
    if isinstance(node, int):
        return int(node)
    return str(node)


def _spelled(where: Path_) -> str:
    """experiments[0].arms.batch for ("experiments", 0, "arms", "batch")."""
    spelled = ""
    for key in where:
        shown = key if isinstance(key, int) or key.isprintable() else quoted(key)
        spelled += f"[{key}]" if isinstance(key, int) else f".{shown}" if spelled else str(shown)
    return spelled


def kind_of(value: Any) -> str:
    """What came, in words: "a list of 3"."""
    if isinstance(value, dict):
        return f"keys with values ({quoted(', '.join(map(str, value)))[1:-1]})" if value else "nothing ({})"
    return f"a list of {len(value)}" if isinstance(value, list) else quoted(value)


def _yaml_problem(problem: str, kind: str) -> str:
    """The parser's complaint in our words where people meet it, else in its own."""
    if "another document" in problem:
        return f"a {kind} must be one YAML document; a second one begins here"
    if "duplicate key" in problem:
        key = problem.split('"')[1] if '"' in problem else "a key"
        return f'a key must stand once; "{key}" stands twice'
    if "'\\t'" in problem:
        return f"a {kind} must be indented with spaces; got a tab"
    if "mapping values are not allowed" in problem:
        return "not valid YAML: a colon too many, or lines that are not indented alike"
    return f"not valid YAML: {_first_line(problem)}" if problem else "not valid YAML"


def _first_line(problem: object) -> str:
    return next(iter(str(problem).splitlines()), "?").strip().rstrip(":")


def _line_in(error: Exception) -> int:
    """The line (from 1) that the parser was at, where it says."""
    found = re.search(r"line (\d+)", str(error))
    return int(found[1]) if found else 1
