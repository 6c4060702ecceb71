"""Histories read from files: tables, JSON, JSON lines, or a folder of any of these."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from surefoot.errors import RecordError
from surefoot.history import History
from surefoot.records.histories_delimited import read_table
from surefoot.records.histories_json import LINES, read_json
from surefoot.records.logged import NoHistoryError
from surefoot.records.naming import AGGREGATES, DURATIONS, METRICS, words_of
from surefoot.words import count

TABLES = (".csv", ".tsv", ".tab", ".txt")
JSONS = (".json", *LINES)
MOST_FILES = 100_000
DEEPEST = 6
MOST_NAMED = 3
# Files beside a history that hold its settings; what else is there may be another's.
CONFIGS = ("config.json", "params.json", "hparams.json", "hyperparameters.json", "args.json")
# What the file of a history ends in where the file of its results or settings begins alike.
ENDINGS = ("_history", "_metrics", "_log", "-history", "-metrics", "-log", ".history", ".metrics")
SIDECARS = ("_config.json", "_params.json", "_results.json")
# Words of a result that stands among the settings of a results file.
RESULT_WORDS = METRICS | AGGREGATES | DURATIONS | {"time", "completed", "successful", "success", "stability", "gap"}
CHECKPOINT = "checkpoint-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The histories of a source; `notices` say what of the whole of it was left out, in sentences."""

    histories: tuple[History, ...]
    notices: tuple[str, ...] = ()


def read_histories(path: Path | str) -> tuple[History, ...]:
    """Every history that a file or a folder holds; see `find_histories`."""
    return find_histories(path).histories


def find_histories(path: Path | str) -> Found:
    """Every history that a file or a folder holds, a folder's in the order of their names.

    In a folder, files that hold no history are left out, and noticed. Histories that differ in their seed alone
    have the same name. Raises RecordError, in one line, for a source that holds none.
    """
    path = Path(path)
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise RecordError(f"{str(path)!r:.80} cannot be read as a path: {error}") from error
    return _of_folder(path) if is_folder else Found(histories=_of_file(path, path.stem or path.name))


def _of_file(path: Path, name: str) -> tuple[History, ...]:
    suffix = path.suffix.lower()
    found = read_json(path, name) if suffix in JSONS or _begins_as_json(path, suffix) else read_table(path, name)
    config = _config_beside(path)
    return tuple(replace(h, config={**config, **h.config}) for h in found) if config else found


def _begins_as_json(path: Path, suffix: str) -> bool:
    """Whether a file whose name does not tell begins with a bracket."""
    if suffix in TABLES:
        return False
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    except (OSError, ValueError):
        return False  # reading it as a table says what is wrong


# ── folders ──


def _of_folder(folder: Path) -> Found:
    paths = list(_files(folder))
    if not paths:
        raise RecordError(f"{folder} holds no file of a history (CSV, TSV, JSON or JSON lines)")
    found: dict[Path, tuple[History, ...]] = {}
    broken: list[str] = []
    others: list[str] = []
    for path in paths:
        try:
            found[path] = _of_file(path, path.stem)
        except NoHistoryError as error:
            others.append(str(error))
        except RecordError as error:
            broken.append(str(error))
    if not found:
        refused = [*broken, *others]
        more = f" (and {count(len(refused) - 1, 'more file')})" if len(refused) > 1 else ""
        raise RecordError(f"{folder} holds no history: {refused[0]}{more}")
    latest, said = _latest_states(found)
    if broken:
        shown = "; ".join(broken[:MOST_NAMED])
        more = f"; and {len(broken) - MOST_NAMED:,} more" if len(broken) > MOST_NAMED else ""
        said.append(f"{count(len(broken), 'file')} that cannot be read left out ({shown}{more})")
    if others:
        said.append(f"{count(len(others), 'file')} of {len(paths):,} without a history left out")
    names = _names(folder, latest)
    histories = tuple(
        replace(h, name=names[path] if len(some) == 1 or h.name == path.stem else f"{names[path]}, {h.name}")
        for path, some in latest.items()
        for h in some
    )
    return Found(histories=histories, notices=tuple(said))


def _files(folder: Path) -> Iterator[Path]:
    """The files that may hold histories, in the order of their paths, numbers in names as numbers."""
    seen = 0
    for here, folders, names in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=_natural) if depth < DEEPEST else []
        for name in sorted(names, key=_natural):
            if name.startswith(".") or Path(name).suffix.lower() not in (*TABLES[:-1], *JSONS):
                continue
            if name in CONFIGS:
                continue
            seen += 1
            if seen > MOST_FILES:
                raise RecordError(f"{folder} holds more than {MOST_FILES:,} files; name one of its folders")
            yield Path(here, name)


def _natural(name: str) -> list[tuple[int, int | str]]:
    """The name so that run 10 comes after run 9."""
    parts: list[tuple[int, int | str]] = []
    digits = ""
    for c in f"{name}\0":
        if c.isascii() and c.isdigit():
            digits += c
            continue
        if digits:
            parts.append((0, int(digits[:15])))
            digits = ""
        parts.append((1, c))
    return parts


def _latest_states(
    found: Mapping[Path, tuple[History, ...]],
) -> tuple[dict[Path, tuple[History, ...]], list[str]]:
    """The files without the states of earlier checkpoints: each state holds the whole log so far."""
    states: dict[Path, list[tuple[int, Path]]] = {}
    for path in found:
        number = path.parent.name.removeprefix(CHECKPOINT)
        if path.name == "trainer_state.json" and path.parent.name.startswith(CHECKPOINT) and number.isdecimal():
            states.setdefault(path.parent.parent, []).append((int(number), path))
    old = {
        path
        for run, some in states.items()
        for n, path in some
        if n < max(some)[0] or run / "trainer_state.json" in found
    }
    said = (
        [f"{count(len(old), 'state')} of earlier checkpoints left out: a later one holds the same log"] if old else []
    )
    return {path: some for path, some in found.items() if path not in old}, said


def _names(folder: Path, found: Mapping[Path, Sequence[History]]) -> dict[Path, str]:
    """What each file's history is called: by its folder where that holds no other, else by its own path."""
    alone = Counter(path.parent for path in found)
    names = {}
    for path in found:
        inner = path.relative_to(folder).with_suffix("")
        is_of_folder = len(inner.parts) > 1 and alone[path.parent] == 1
        if path.parent.name.startswith(CHECKPOINT) and len(inner.parts) > 2:
            inner = inner.parent
        names[path] = str(inner.parent if is_of_folder else inner).replace(os.sep, "/")
    return names


# ── settings beside a history ──


def _config_beside(path: Path) -> dict[str, Any]:
    """The settings in a file beside the history, plain values only; of a results file those that are no results."""
    stem = path.stem
    for ending in ENDINGS:
        stem = stem.removesuffix(ending)
    for name in CONFIGS:
        found = _plain_values(path.with_name(name)) if name != path.name else {}
        if found:
            return found
    for ending in SIDECARS:
        beside = path.with_name(stem + ending)
        found = _plain_values(beside) if beside != path else {}
        if found:
            is_results = ending == SIDECARS[-1]
            return {n: v for n, v in found.items() if not (is_results and RESULT_WORDS & set(words_of(n)))}
    return {}


def _plain_values(path: Path) -> dict[str, Any]:
    """The numbers, texts and booleans of a JSON object; nothing where there is none to read."""
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {n: v for n, v in document.items() if isinstance(v, bool | int | float | str)}
