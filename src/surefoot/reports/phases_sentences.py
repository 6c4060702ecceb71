"""What is said of a phase, a gate, a recommendation, a round, a decision and the end, in plain sentences."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis
from surefoot.ledger import LedgerRow, ledger_sentence
from surefoot.phases.final import Exported, Final
from surefoot.phases.gate import PHASES, Check, Gate, State
from surefoot.phases.outlook import Outlook, Turn
from surefoot.phases.round import Round
from surefoot.reports.analysis_words import ended
from surefoot.reports.diagnosis_blocks import ordered, symptom_text
from surefoot.reports.diagnosis_words import headline, promise_text
from surefoot.reports.phase_story import PhaseStory
from surefoot.reports.story import Story
from surefoot.run import Metric
from surefoot.thresholds import Thresholds
from surefoot.words import (
    NOTHING,
    clause,
    count,
    decimals_of,
    half_width,
    listing,
    mean_and_spread,
    moment,
    number,
    sentence,
    setting,
    settings,
    signed,
    span,
    spread,
    unit_of,
)

DONE = "done"
_RUN = re.compile(r"run [0-9]{1,15}")
# What each state is called in a count, in the order of the count.
STATES: tuple[tuple[State, str], ...] = (
    ("satisfied", "satisfied"),
    ("noted", "noted"),
    ("blocked", "blocked"),
    ("overridden", "overridden by a person"),
    ("not applicable", "not applicable"),
)
TURNS: dict[Turn, str] = {
    "finalise": "finalise",
    "iterate": "another round",
    "diagnose": "back to diagnosis",
    "ceiling": "accept the ceiling and finalise",
}


def standing_sentence(phases: PhaseStory) -> str:
    """Which phase the study is in, and how many gates are open, shut and passed by an override."""
    place = f" ({PHASES.index(phases.phase) + 1} of {len(PHASES)})" if phases.phase in PHASES and phases.gates else ""
    told = f"The study is in its phase {phases.phase}{place}." if phases.phase != DONE else "The study is at its end."
    if not phases.gates:
        return f"{told} Its plan asks for no gates."
    shut = [gate.phase for gate in phases.gates if not gate.is_open]
    passed = sum(len(gate.overridden) for gate in phases.gates)
    if shut:
        told += f" The gate of {listing(shut)} is shut."
    if passed:
        told += f" {count(passed, 'predicate')} of its gates passed only because a person overrode it."
    return told


def gate_sentence(gate: Gate) -> str:
    """Whether the gate is open, and how many of its predicates stand how."""
    found = Counter(check.state for check in gate.checks)
    counted = listing([f"{found[state]} {word}" for state, word in STATES if found[state]])
    word = "open" if gate.is_open else "shut"
    return (
        f"The gate of {gate.phase} is {word}: of {count(len(gate.checks), 'predicate')}, {counted or 'none is asked'}."
    )


def check_text(check: Check) -> str:
    """What must hold, what the record says, and what that was read from."""
    rests = f" (from {rests_text(check.rests_on)})" if check.rests_on else ""
    if check.state in ("satisfied", "noted"):
        return f"{ended(check.question)} {clause(check.evidence)}{rests}."
    return f"To hold: “{ended(check.question)}” The record says: {clause(check.evidence)}{rests}."


def override_text(check: Check) -> str:
    """A predicate that a person let pass: what the record says against it, and the reason they wrote."""
    return (
        f"OVERRIDDEN by a person, {check.predicate}. {check_text(check)} The reason written: {quoted(check.override)}"
    )


def rests_text(rests_on: Sequence[str]) -> str:
    """What evidence was read from, runs in a row drawn together: "runs 1 to 8 and plan.yaml"."""
    said: list[str] = []
    for is_run, group in itertools.groupby(rests_on, key=lambda name: bool(_RUN.fullmatch(name))):
        names = list(group)
        numbers = [int(name.removeprefix("run ")) for name in names] if is_run else []
        if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
            names = [f"runs {numbers[0]} to {numbers[-1]}"]
        said += names
    return listing(said)


def quoted(text: str) -> str:
    """What a person wrote, in quotation marks and with a full stop, on one line."""
    return f"“{' '.join(text.split())}”."


def unit_after(unit: str) -> str:
    """The unit of a gain with the space before it, or nothing: percentages differ by points."""
    return " pp" if unit in ("%", "pp", "points", "percentage points") else f" {unit}" if unit else ""


def recommendation_text(found: Recommendation) -> str:
    """A recommendation with its change, its reason, its promise and what it asks for."""
    change = settings(found.patch)
    shown = f" ({change})" if change and change != found.title else ""
    parts = [f"{found.id}, {clause(found.title)}{shown}.", sentence(ended(found.because))]
    if found.promise is not None:
        source = f" ({clause(found.promise.source)})" if found.promise.source else ""
        parts.append(f"Promised: {promise_text(found.promise)}{source}.")
    return " ".join([*parts, f"Impact {found.impact}, effort {found.effort}, risk {found.risk}."])


def diagnosis_sentences(diagnosis: Diagnosis) -> list[str]:
    """What is to be treated first, every symptom with its evidence, and what could not be told."""
    told = [f"Primary: {headline(diagnosis)}."] if diagnosis.is_healthy else []
    for symptom in ordered(diagnosis):
        primary = "Primary: " if symptom.rule == diagnosis.primary else ""
        told.append(f"{primary}{symptom_text(symptom, diagnosis)}")
    return [*told, *map(ended, diagnosis.notes)]


def gain_text(gain: float | None, interval: tuple[float, float] | None, n: int, unit: str) -> str:
    """ "+1.20 pp (95 % interval +0.60 … +1.80, 8 pairs)", or that it was not measured."""
    if gain is None:
        return "not measured"
    digits = decimals_of(half_width(interval))
    between = f"95 % interval {span(interval, digits)}, " if interval is not None else ""
    return f"{signed(gain, digits)}{unit} ({between}{count(n, 'pair')})"


def round_sentences(found: Round, story: Story) -> list[str]:
    """A round from what it began with to what it decided; the ledger's rows and the attribution stand elsewhere."""
    unit = story.primary.difference_unit
    experiments = f", registered as {listing(found.experiments)}" if found.experiments else ""
    told = [f"Round {found.number}, strategy {found.strategy}{experiments}."]
    if found.tried:
        told.append(f"Put to the test: {listing([tried_text(r) for r in found.tried])}.")
    told += [f"Not tried: {r.id} ({r.kind}), {clause(because)}." for r, because in found.skipped]
    if found.adopted:
        told.append(f"Adopted: {found.adopted}, {gain_text(found.gain, found.interval, found.n, unit)}.")
    elif found.outlook is not None:
        measured = f" The best of its arms: {gain_text(found.gain, found.interval, found.n, unit)}."
        told.append(f"Nothing was adopted; the champion stays.{measured if found.gain is not None else ''}")
    told += [sentence(a.says) for a in found.attributions if a.says]
    told.append(outlook_sentence(found.outlook) if found.outlook is not None else "The round is still running.")
    return told


def tried_text(found: Recommendation) -> str:
    """ "R1 (dropout 0.4)"."""
    return f"{found.id} ({settings(found.patch) or found.kind})"


def ledger_sentences(rows: Sequence[LedgerRow]) -> list[str]:
    """What every recommendation promised and what it did."""
    return [sentence(ledger_sentence(row)) for row in rows]


def outlook_sentence(outlook: Outlook) -> str:
    """The decision and why."""
    return f"Decision: {outlook_text(outlook)}"


def outlook_text(outlook: Outlook) -> str:
    """ "another round. 7.1 pp are left to the target."."""
    return f"{TURNS.get(outlook.turn, outlook.turn)}. {sentence(outlook.because)}"


def metric_of(story: Story, name: str) -> Metric:
    """The story's metric that a split's value is of: "accuracy" is what "val_accuracy" is on validation."""
    by_name = {metric.name: metric for metric in story.metrics}
    alike = (metric for metric in story.metrics if metric.name.endswith(f"_{name}"))
    return by_name.get(name) or next(alike, Metric(name=name, goal="maximize"))


def split_metrics(story: Story, final: Final) -> list[str]:
    """The names of the metrics with values on both splits, the primary one first."""
    both = [name for name in final.validation if final.test.get(name)]
    return sorted(both, key=lambda name: metric_of(story, name).name != story.primary.name)


def split_differences(final: Final, name: str) -> list[float]:
    """|validation − test| of every seed."""
    return [abs(v - t) for v, t in zip(final.validation[name], final.test[name], strict=False)]


def split_judgement(difference: float, metric: Metric, thresholds: Thresholds) -> str:
    """What |validation − test| means; thresholds are in points, so nothing is said of other units."""
    if metric.unit != "%":
        return "not judged: the thresholds are in points"
    if difference >= thresholds.split_mismatch:
        return f"mismatch (at least {number(thresholds.split_mismatch)} pp)"
    if difference >= thresholds.split_excellent:
        return f"acceptable (under {number(thresholds.split_mismatch)} pp)"
    return f"excellent (under {number(thresholds.split_excellent)} pp)"


def final_sentences(final: Final, story: Story) -> list[str]:
    """The final trainings, the sealed split, the exported model and the bundle, a sentence each."""
    told = [f"Final training: {runs_text(final)}; the {final.checkpoint} checkpoint counts."]
    if final.opened_at:
        told.append(f"The sealed test split was opened once, {moment(final.opened_at)}.")
    for name in split_metrics(story, final):
        told.append(split_sentence(final, name, story))
    told += [export_sentence(found) for found in final.exports]
    if final.bundle:
        told.append(f"The bundle is {final.bundle}, {count(len(final.files), 'file')}.")
    return told


def runs_text(final: Final) -> str:
    """ "3 runs (seeds 20001, 20002 and 20003)"; "none" where the champion itself was tested."""
    seeds = listing([str(run.seed) for run in final.runs])
    word = "seed" if len(final.runs) == 1 else "seeds"
    return f"{count(len(final.runs), 'run')} ({word} {seeds})" if final.runs else "none"


def split_sentence(final: Final, name: str, story: Story) -> str:
    """Validation and test beside each other, and the judgement of the mean difference."""
    assert story.phases is not None
    metric = metric_of(story, name)
    differences = split_differences(final, name)
    mean = math.fsum(differences) / len(differences)
    said = split_judgement(mean, metric, story.phases.thresholds)
    apart = f"{number(mean, decimals_of(spread(differences)))}{metric.difference_unit}"
    return (
        f"{metric.name}: validation {mean_and_spread(final.validation[name])}{unit_of(metric)}, test "
        f"{mean_and_spread(final.test[name])}{unit_of(metric)} over {count(len(final.test[name]), 'seed')}; "
        f"|validation − test| is {apart} in the mean: {said}."
    )


def export_sentence(found: Exported) -> str:
    """One format: that it failed and why, or how well it agrees with the original."""
    if found.error:
        return f"Export to {found.format} FAILED: {clause(found.error)}."
    parts = []
    if found.agreement is not None:
        parts.append(f"predicts the same class on {share(found.agreement)} of the test images")
    if found.accuracy is not None and found.original_accuracy is not None:
        parts.append(f"accuracy {number(found.accuracy)} % against {number(found.original_accuracy)} %")
    if found.latency_seconds is not None and found.original_latency_seconds is not None:
        how = f" ({found.latency_measured})" if found.latency_measured else ""
        parts.append(
            f"{milliseconds(found.latency_seconds)} an image against "
            f"{milliseconds(found.original_latency_seconds)}{how}"
        )
    return f"Export to {found.format} ({found.file}): {', '.join(parts) or 'not checked'}."


def share(value: float) -> str:
    """A share in percent with the digits that tell it from the whole: "99.98 %"."""
    return f"{number(100 * value)} %"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds: "1.84 ms"."""
    return f"{float(f'{1000 * seconds:.3g}'):g} ms"


def threshold_sentences(phases: PhaseStory) -> list[str]:
    """The thresholds that the plan set otherwise than their default."""
    default = Thresholds()
    known = {name: setting(getattr(default, name, NOTHING)) for name in phases.set_thresholds}
    return [
        f"The plan sets the threshold {name} to {setting(value)}; its default is {known[name]}."
        for name, value in phases.set_thresholds.items()
    ]
