"""What a plan's file says of its phases: how it optimises and ends, its thresholds, what a person overrides."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from surefoot.files.entry import came, hinted, shaped
from surefoot.files.plan_document import Path_, PlanDocument
from surefoot.files.plan_entry import FinaliseEntry, OptimiseEntry, OverrideEntry, PlanEntry
from surefoot.plan import Finalise, Optimise, Override
from surefoot.thresholds import Thresholds

MOST_ROUNDS_UNASKED = {"targeted": 1, "sweep": 1, "iterative": 3, "none": 1}
FINAL = Finalise(seeds=3, exports=("torch", "onnx"))
WHOLE_NUMBERS = ("diminishing_rounds",)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PhasesReader:
    """Reads the keys of a plan that only a study with phases has."""

    document: PlanDocument
    entry: PlanEntry

    def optimise(self) -> Optimise | None:
        """How it goes on from its diagnosis, or that it does not."""
        entry: OptimiseEntry | None = self.entry.optimise
        if entry is None:
            return None
        return Optimise(
            strategy=entry.strategy,
            rounds=entry.rounds or MOST_ROUNDS_UNASKED[entry.strategy],
            recommendations=entry.recommendations,
            trials=entry.trials,
        )

    def finalise(self) -> Finalise | None:
        """How it ends; `true` is the whole of it in a study with phases, and the sealed split alone elsewhere."""
        said = self.entry.finalise
        if said is False:
            return None
        if said is True:
            return FINAL if self.entry.optimise is not None else Finalise()
        if not isinstance(said, Mapping):
            self._refuse(("finalise",), f"must be true, false, or keys with values; got {came(said)}")
        entry = shaped(FinaliseEntry, self.document, said, ("finalise",))
        if len(set(entry.export)) < len(entry.export):
            self._refuse(("finalise", "export"), f"must name each format once; got {', '.join(entry.export)}")
        return Finalise(seeds=entry.seeds, exports=tuple(entry.export))

    def thresholds(self) -> Thresholds:
        """The thresholds, as set over their defaults."""
        names = Thresholds.__slots__
        for name, value in self.entry.thresholds.items():
            where = ("thresholds", name)
            if name not in names:
                self._refuse(where, hinted("is not a threshold that a diagnosis or a gate has", name, names))
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value < math.inf:
                self._refuse(where, f"must be a finite number, 0 or more; got {came(value)}")
            if name in WHOLE_NUMBERS and (value != int(value) or value < 1):
                self._refuse(where, f"must be a whole number of at least 1; got {came(value)}")
        kinds: Mapping[str, Any] = {name: int if name in WHOLE_NUMBERS else float for name in names}
        return Thresholds(**{name: kinds[name](value) for name, value in self.entry.thresholds.items()})

    def overrides(self) -> tuple[Override, ...]:
        """What a person lets pass; each with a reason, or it is refused."""
        found: list[Override] = []
        for i, entry in enumerate(self.entry.overrides):
            found.append(self._override(entry, i, found))
        return tuple(found)

    def _override(self, entry: OverrideEntry, i: int, earlier: list[Override]) -> Override:
        where = ("overrides", i)
        if self.entry.optimise is None:
            self._refuse(where, "belongs to a study with phases; say optimise: {} as well")
        if not entry.because.strip():
            self._refuse((*where, "because"), "must give the reason: the report carries it, in red")
        if any((o.gate, o.predicate) == (entry.gate, entry.predicate) for o in earlier):
            self._refuse(where, f"must be a new one; {entry.gate}: {entry.predicate} is overridden above")
        return Override(gate=entry.gate, predicate=entry.predicate, because=" ".join(entry.because.split()))

    def _refuse(self, where: Path_, message: str) -> NoReturn:
        self.document.refuse(where, message)
