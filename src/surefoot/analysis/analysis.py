"""The whole analysis of a table of trials: every section in the order of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from surefoot.analysis.boundaries import Boundary, boundaries, boundaries_section
from surefoot.analysis.confounds import confounds_section
from surefoot.analysis.convergence import convergence_section
from surefoot.analysis.direction import Directions, direction_section, directions
from surefoot.analysis.elites import Elites, elites, elites_section
from surefoot.analysis.importance import Importance, importance, importance_section
from surefoot.analysis.instruments import Instrument, instruments, instruments_section
from surefoot.analysis.interactions import interactions, interactions_section
from surefoot.analysis.learnability import learnability_section
from surefoot.analysis.noise import NoiseFloor, noise_floor, noise_section
from surefoot.analysis.section import Section
from surefoot.analysis.stopped import stopping_section
from surefoot.analysis.summary import summary_section
from surefoot.analysis.view import View, view_of
from surefoot.finding import Finding
from surefoot.trials import TrialTable

SEVERITIES = ("critical", "warning", "info")
# What a metric that depends on the parameter makes believe.
DECEIVED = (
    "importance.real",
    "direction.number",
    "direction.choice",
    "elites.enriched",
    "elites.range",
    "boundaries.hit",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Analysis:
    """What a table of trials says.

    `sections` come in the order of the report; the typed results are what the next search space is built from.
    """

    view: View
    instrument: Instrument
    noise: NoiseFloor | None
    importance: Importance
    directions: Directions
    elites: Elites
    boundaries: tuple[Boundary, ...]
    sections: tuple[Section, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, the most severe first, each severity in the order of the report."""
        return by_severity([finding for section in self.sections for finding in section.findings])


def by_severity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings with what may overturn a conclusion first; their order stays otherwise."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def analyze(table: TrialTable, *, seed: int = 0) -> Analysis:
    """The analysis of a table; the same table and seed give the same analysis."""
    # Its matrices are many and small: handing them out among threads costs ten times what it saves, and would let
    # the number of threads into the last digits.
    with threadpool_limits(limits=1, user_api="blas"):
        return _analyzed(table, seed)


def _analyzed(table: TrialTable, seed: int) -> Analysis:
    view = view_of(table, seed=seed)
    noise = noise_floor(view)
    instrument = instruments(view)
    weights = importance(view)
    ways = directions(view)
    best = elites(view, noise)
    dead = frozenset(row.key for row in weights.rows if "dead" in row.flags)
    edges = boundaries(view, best, noise, dead=dead)
    sections = (
        summary_section(view),
        instruments_section(view, instrument),
        learnability_section(view, noise),
        noise_section(view, noise),
        importance_section(view, weights),
        direction_section(view, ways),
        elites_section(view, best),
        boundaries_section(view, edges),
        interactions_section(view, interactions(view, weights)),
        convergence_section(view),
        stopping_section(view),
        confounds_section(view),
    )
    return Analysis(
        view=view,
        instrument=instrument,
        noise=noise,
        importance=weights,
        directions=ways,
        elites=best,
        boundaries=edges,
        sections=tuple(_warned(section, instrument, view.metric.name) for section in sections),
    )


def _warned(section: Section, instrument: Instrument, metric: str) -> Section:
    """The section with a word of warning at each effect of the parameter that the metric itself depends on."""
    key = instrument.depends_on
    if key is None or not any(f.subject == key and f.rule in DECEIVED for f in section.findings):
        return section
    doubt = f" But {metric} itself depends on {key}: that may be how it is measured rather than what is learnt."
    advice = f"Do not act on this before {metric} is free of {key}."
    return replace(
        section,
        findings=tuple(
            replace(f, sentence=f.sentence + doubt, severity="warning", advice=advice)
            if f.subject == key and f.rule in DECEIVED
            else f
            for f in section.findings
        ),
    )
