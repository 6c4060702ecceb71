"""How a search proposes configs and ends trials early, as a sweep's or a plan's file writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from surefoot.errors import PlanError, SurefootError, quoted
from surefoot.files.entry import came, hinted, shaped
from surefoot.files.plan_document import Path_, PlanDocument
from surefoot.files.ranges import RangeEntry
from surefoot.files.sweep_entry import (
    METHOD_WORDS,
    RULE_WORDS,
    STOPPING_KEYS,
    STOPPING_WORDS,
    SpaceEntry,
    StoppingEntry,
)
from surefoot.search.methods import check_method
from surefoot.search.stopping import check_stopping
from surefoot.sweep import METHODS, STOPPING_RULES, Method, Stopping


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchReader:
    """Turns what is written of a search's method and stopping rule into values, or refuses the first mistake.

    `above` is where the search stands in the document. `workload` is what is trained, in a message.
    """

    document: PlanDocument
    entry: SpaceEntry
    above: Path_ = ()
    objectives: int = 1
    seeds: int = 1
    can_resume: bool = False
    workload: str = ""

    def method(self) -> Method:
        """How configs are proposed."""
        written = self.entry.method
        if written is None:
            written = "tpe" if self.objectives == 1 else "nsga2"
        options = dict(written) if isinstance(written, dict) else {"name": written}
        where: Path_ = ("method", "name") if isinstance(written, dict) else ("method",)
        if "name" not in options:
            self._refuse(("method",), 'must have "name"')
        said = options.pop("name")
        name = METHOD_WORDS.get(said.lower(), said.lower()) if isinstance(said, str) else said
        for method in METHODS:
            if name == method:
                break
        else:
            message = f"must be one of {', '.join(METHODS)}; got {came(said)}"
            self._refuse(where, message, str(said), [*METHODS, *METHOD_WORDS])
        if (self.objectives > 1) != (name == "nsga2"):
            advice = "nsga2 searches for several metrics" if name != "nsga2" else "name a list of them, or use tpe"
            many = f"{self.objectives} objective{'s' * (self.objectives > 1)}"
            self._refuse(where, f"does not fit {many}; {advice}")
        found: dict[str, Any] = {"name": method}
        for key, value in options.items():
            self._ask(check_method, Method(**found, options={key: value}), ("method", key))
        asked = Method(**found, options=options)
        self._ask(check_method, asked, ("method",))
        return asked

    def stopping(self) -> Stopping | None:
        """Which trials are ended early."""
        written = self.entry.stop_early
        if written is None or written is False:
            return None
        if self.objectives > 1:
            self._refuse(("stop_early",), "needs one objective to judge by; several are searched for")
        told = {"rule": written} if isinstance(written, str) else written
        entry = shaped(StoppingEntry, self.document, told, (*self.above, "stop_early"))
        where: Path_ = ("stop_early", "rule") if isinstance(written, dict) else ("stop_early",)
        name = RULE_WORDS.get(entry.rule.lower(), entry.rule.lower())
        for rule in STOPPING_RULES:
            if name == rule:
                break
        else:
            message = f"must be one of {', '.join(STOPPING_RULES)}; got {quoted(entry.rule)}"
            self._refuse(where, message, entry.rule, STOPPING_RULES)
        found: dict[str, Any] = {}
        for key in told:
            meaning = STOPPING_WORDS.get(key, key)
            if key == "rule":
                continue
            if meaning not in STOPPING_KEYS[rule]:
                listed = ", ".join(STOPPING_KEYS[rule])
                self._refuse(("stop_early", key), f"is nothing that {rule} knows; it knows {listed}")
            if meaning in found:
                self._refuse(("stop_early", key), f"is a synonym of {meaning}; write one of them")
            found[meaning] = getattr(entry, key)
        stopping = Stopping(**{"rule": rule, **{key: value for key, value in found.items() if value is not None}})
        self._check_stopping(stopping)
        return stopping

    def _check_stopping(self, stopping: Stopping) -> None:
        self._ask(check_stopping, stopping, ("stop_early",))
        if stopping.promotes and not self.can_resume:
            advice = f"{self.workload} cannot" if self.workload else "say resumes: true where the script can"
            self._refuse(("stop_early", "promotes"), f"needs runs that go on from their checkpoints; {advice}")
        if stopping.rule == "wilcoxon" and self.seeds < 2:
            advice = "a search in a plan has one seed a trial" if self.above else "say seeds: 5 or so"
            self._refuse(("stop_early",), f"of rule wilcoxon compares seed by seed; {advice}")

    def _refuse(self, where: Path_, message: str, word: str = "", known: Sequence[str] = ()) -> NoReturn:
        self.document.refuse((*self.above, *where), hinted(message, word, known) if word else message)

    def _ask(self, check: Callable[[Any], None], value: Any, where: Path_) -> None:
        """Refuses, by its line, what another room's check refuses."""
        try:
            check(value)
        except SurefootError as error:
            line = self.document.line((*self.above, *where))
            raise PlanError(f"{self.document.path}:{line}: {error}") from error


def complete_schema(keys: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Says in a JSON Schema what a search's keys may hold, where their entry takes anything."""
    definitions["RangeEntry"] = RangeEntry.model_json_schema(by_alias=True)
    definitions["StoppingEntry"] = StoppingEntry.model_json_schema(by_alias=True)
    plain = {"type": ["string", "number", "boolean", "array"]}
    keys["parameters"]["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/RangeEntry"}, plain]}
    keys["stop_early"] = {"anyOf": [{"$ref": "#/$defs/StoppingEntry"}, {"enum": [*STOPPING_RULES, False]}]}
    names = [*METHODS, *METHOD_WORDS]
    with_name = {"type": "object", "properties": {"name": {"enum": names}}, "required": ["name"]}
    keys["method"] = {"anyOf": [{"enum": names}, with_name]}
