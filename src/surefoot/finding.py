"""Finding: a fact with its evidence, its severity and what to do; what analysis, diagnosis and audit return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One fact.

    `rule` is the stable name of what found it, as "direction.number"; `subject` what it is about, mostly a
    parameter; `evidence` holds the numbers of the sentence as plain JSON, in full precision. "critical" may
    overturn a conclusion that somebody would draw, "warning" weakens one, "info" only tells.
    """

    rule: str
    subject: str
    sentence: str
    severity: Severity = "info"
    evidence: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""

    def definition(self) -> dict[str, Any]:
        """The finding as JSON."""
        found = {name: getattr(self, name) for name in Finding.__slots__}
        return {**found, "evidence": dict(self.evidence)}


def finding_of(
    section: str,
    rule: str,
    subject: str,
    sentence: str,
    severity: Severity,
    evidence: Mapping[str, Any],
    advice: str = "",
) -> Finding:
    """The finding of a section's rule, whose name the section's begins."""
    said = f"{section}.{rule}"
    return Finding(rule=said, subject=subject, sentence=sentence, severity=severity, evidence=evidence, advice=advice)
