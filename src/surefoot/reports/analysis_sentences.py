"""What an analysis says first: its headline, what its trials are, how many findings, what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.analysis.section import Section
from surefoot.finding import Finding, Severity
from surefoot.reports.analysis_words import ended, printable
from surefoot.trials import Trial, TrialTable
from surefoot.words import clause, count, listing, number, sentence, unit_of

if TYPE_CHECKING:  # an analysis is only given here: what makes one need not be loaded to word it
    from surefoot.analysis.analysis import Analysis

SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
BADGES = {"critical": "may overturn a conclusion", "warning": "weakens a conclusion", "info": ""}
EFFECTS = ("importance.real", "direction.number", "direction.boolean", "direction.choice")
SURE_BELOW = 0.05
MOST_NAMED = 4
NO_STEPS = ("Do not ", "Read ", "That is not ")
STATES = ("COMPLETE", "PRUNED", "FAILED", "INFEASIBLE", "RUNNING")


def headline(analysis: Analysis) -> str:
    """What may overturn a conclusion; where nothing does, what the best trial is and what goes with the metric."""
    findings = analysis.findings
    if findings and findings[0].severity == "critical":
        return clause(printable(findings[0].sentence))
    table = analysis.view.table
    best = best_of(table)
    if best is None or best.value is None:
        return f"No trial of {printable(table.name)} has a value: there is nothing to analyse yet"
    least = f"The best of {count(len(table.complete), 'trial')} has {table.metric.name} {_value(best.value, table)}"
    return printable(f"{least}{_what_goes_with_it(findings)}")


def _what_goes_with_it(findings: Sequence[Finding]) -> str:
    """ "; lr and depth go with it beyond chance"; empty where no section asked."""
    sure = [f for f in findings if f.rule in EFFECTS and f.evidence.get("q_value", 0.0) < SURE_BELOW]
    shown = list(dict.fromkeys(finding.subject for finding in sure))
    if shown:
        rest = [f"{len(shown) - MOST_NAMED} more"] if len(shown) > MOST_NAMED else []
        verb = "goes" if len(shown) == 1 else "go"
        return f"; {listing([*shown[:MOST_NAMED], *rest])} {verb} with it beyond chance"
    rules = {finding.rule for finding in findings}
    is_open = "direction.none" in rules and not rules & set(EFFECTS)
    return "; no parameter is shown to go with it" if is_open else ""


def weighty(analysis: Analysis, severity: Severity) -> list[Finding]:
    """The findings of one severity, in the order of the report."""
    return [finding for finding in analysis.findings if finding.severity == severity]


def finding_counts(analysis: Analysis) -> str:
    """ "2 critical findings, 3 warnings and 11 facts"."""
    many = Counter(finding.severity for finding in analysis.findings)
    nouns = {"critical": "critical finding", "warning": "warning", "info": "fact"}
    return listing([count(many[s], nouns[s]) for s in SEVERITIES if many[s]]) or "no findings"


def next_step(analysis: Analysis) -> str:
    """The advice of the most severe finding that has one; empty where none has."""
    told = [finding.advice for finding in analysis.findings if finding.advice]
    # What not to do is no next step.
    steps = [advice for advice in told if not advice.startswith(NO_STEPS)]
    return ended(next(iter(steps or told), ""))


def best_of(table: TrialTable) -> Trial | None:
    """The complete trial with the best value, the earliest of several."""
    known = [t for t in table.complete if t.value is not None]
    return max(known, key=lambda t: table.metric.sign * (t.value or 0.0), default=None)


def state_counts(table: TrialTable) -> dict[str, int]:
    """How many trials ended how, as "complete": 20; all states, in the order of the report."""
    many: Counter[str] = Counter(trial.state for trial in table.trials)
    return {state.lower(): many[state] for state in STATES}


def states_text(table: TrialTable) -> str:
    """ "20 complete, 8 pruned"."""
    known = {state: n for state, n in state_counts(table).items() if n}
    return ", ".join(f"{n:,} {state}" for state, n in known.items()) or "no trials"


def source_sentences(table: TrialTable) -> list[str]:
    """What the trials are, where from and how they were read."""
    way = "more is better" if table.metric.sign > 0 else "less is better"
    varied = count(len(table.space.names()), "setting")
    first = f"{count(len(table.trials), 'trial')} of {table.source}: {states_text(table)}. {varied} varied"
    if table.is_inferred:
        first += ", as the rows show it"
    return [
        ended(f"{first}. The objective is {table.metric.name}, {way}"),
        *(sentence(printable(notice)) for notice in table.notices),
    ]


def note_of(section: Section, table: TrialTable) -> str:
    """How to read the section; nothing where that was said of the whole table already."""
    note = printable(section.note)
    return "" if note == printable(" ".join(table.notices)) else note


def value_text(trial: Trial | None, table: TrialTable) -> str:
    """The value with its unit; "none" without a trial."""
    return "none" if trial is None or trial.value is None else _value(trial.value, table)


def _value(value: float, table: TrialTable) -> str:
    return f"{number(value)}{unit_of(table.metric)}"
