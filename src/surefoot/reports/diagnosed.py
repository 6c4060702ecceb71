"""What `surefoot diagnose` found, as plain values: every group of histories beside its diagnosis."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from surefoot.diagnosis.symptom import SYMPTOMS, Diagnosis, Ground
from surefoot.history import History
from surefoot.run import Metric


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosed:
    """The histories of one config, what was known beside them, and what ails them."""

    histories: tuple[History, ...]
    ground: Ground
    diagnosis: Diagnosis

    @property
    def subject(self) -> str:
        """What it is called."""
        return self.diagnosis.subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """All that one call looked at: `source` says what it was, `notices` how it was read, in sentences."""

    name: str
    source: str
    metric: Metric | None
    groups: tuple[Diagnosed, ...]
    notices: tuple[str, ...] = ()

    @property
    def trainings(self) -> int:
        """How many histories there are in all."""
        return sum(len(group.histories) for group in self.groups)

    @property
    def ill(self) -> tuple[Diagnosed, ...]:
        """The groups with something to treat, in their order."""
        return tuple(group for group in self.groups if group.diagnosis.primary)

    def counts(self) -> dict[str, int]:
        """Primary symptom -> how many groups have it, the commonest first; "" are those with nothing to treat."""
        found = Counter(group.diagnosis.primary for group in self.groups)
        place = {rule: i for i, rule in enumerate(SYMPTOMS)}
        return dict(sorted(found.items(), key=lambda pair: (not pair[0], -pair[1], place.get(pair[0], len(place)))))
