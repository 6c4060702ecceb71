"""The tables of a report as rows of text: arms, seeds, how it was measured, contrasts, verdicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.claim import Claim
from surefoot.comparison import NoValue, Value, numbers_in
from surefoot.reports.story import ArmStory, ContrastStory, ExperimentStory, Story
from surefoot.run import Metric
from surefoot.verdict import Answer, End, Verdict
from surefoot.words import (
    NOTHING,
    count,
    decimals_of,
    duration,
    half_width,
    heading_of,
    mean_and_spread,
    moment,
    number,
    p_value,
    settings,
    short_hash,
    signed,
    span,
    spread,
)

_NUMBER = re.compile(r"[-+−]?(?:[<>] )?\.?[\d∞][\d.,]*(?:e−?\d+)?(?: .*)?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of texts; its first column names the rows.

    `badges` is the column of verdicts, which a page may colour; `title` says what the table shows.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    badges: int | None = None

    def is_numeric(self, column: int) -> bool:
        """Whether a column holds numbers, which stand to the right."""
        cells = [row[column] for row in self.rows if row[column]]
        known = [cell for cell in cells if cell != NOTHING]
        return column > 0 and bool(known) and all(_is_number(cell) for cell in known)


def metrics_of(experiment: ExperimentStory, story: Story) -> tuple[Metric, ...]:
    """The primary metric, then every other one that a verdict of the experiment is about."""
    asked = {v.prediction.metric for v in all_verdicts(experiment)}
    others = (m for m in story.metrics if m.name != story.primary.name and m.name in asked)
    return (story.primary, *others)


def all_verdicts(experiment: ExperimentStory) -> tuple[Verdict, ...]:
    """The verdicts on arms, then those on contrasts."""
    return (*experiment.verdicts, *(c.verdict for c in experiment.contrasts))


def registered_verdicts(experiment: ExperimentStory) -> tuple[Verdict, ...]:
    """The verdicts on what was predicted, arms first, each once."""
    found: list[Verdict] = []
    for verdict in all_verdicts(experiment):
        if verdict.prediction.is_registered and all(verdict.prediction != v.prediction for v in found):
            found.append(verdict)
    return tuple(found)


def verdict_of(experiment: ExperimentStory, arm: str, metric: Metric, primary: Metric) -> Verdict | None:
    """The verdict whose numbers stand in the arm's row: on adoption for the primary metric, else the first."""
    if metric.name == primary.name and arm in experiment.steps:
        return experiment.steps[arm]
    return next(
        (v for v in experiment.verdicts if v.prediction.arm == arm and v.prediction.metric == metric.name), None
    )


def verdict_word(verdict: Verdict) -> str:
    """ "SUPPORTED", "INCONCLUSIVE (equivalent)", "screened out", "diverged" or "waiting"."""
    if not verdict.is_settled:
        return f"waiting for {verdict.wanted} seeds" if verdict.wanted else "waiting"
    if verdict.end is End.IDENTICAL:
        return "nothing to compare"
    if verdict.answer is not Answer.INCONCLUSIVE:
        return verdict.answer.value + (" (diverged)" if verdict.end is End.DIVERGED else "")
    if verdict.end is End.SCREENED:
        return "INCONCLUSIVE (screened out)"
    if verdict.end is End.DIVERGED:
        return "INCONCLUSIVE (diverged)"
    return f"INCONCLUSIVE ({verdict.cause.value})" if verdict.cause.value else verdict.answer.value


def difference_text(verdict: Verdict) -> str:
    """The estimate with its sign, rounded by its interval."""
    if verdict.estimate is None:
        return NOTHING
    return signed(verdict.estimate, decimals_of(half_width(verdict.interval)))


def interval_text(interval: tuple[float, float] | None) -> str:
    """The 95 % interval, rounded by its own width."""
    return NOTHING if interval is None else span(interval, decimals_of(half_width(interval)))


def arms_table(experiment: ExperimentStory, metric: Metric, story: Story) -> Table:
    """Champion and arms on one metric: seeds, mean ± sd, difference, interval, p, verdict."""
    rows = []
    if experiment.champion is not None:
        values = experiment.champion.values.get(metric.name, ())
        rows.append(("champion", _seeds(values), mean_and_spread(numbers_in(values)), "", "", "", "", ""))
    for arm in experiment.arms:
        values = arm.values.get(metric.name, ())
        verdict = verdict_of(experiment, arm.name, metric, story.primary)
        measured = ("", "", "", "") if verdict is None else _measured(verdict)
        words = _answers(experiment, arm.name, metric)
        rows.append((arm.name, _seeds(values), mean_and_spread(numbers_in(values)), *measured, words))
    unit = metric.difference_unit.strip()
    against = f"against champion ({unit})" if unit else "against champion"
    headers = ("arm", "seeds", f"{heading_of(metric)}, mean ± sd", "pairs", against, "95 % interval", "p", "verdict")
    return Table(headers=headers, rows=tuple(rows), title=metric.name, badges=7)


def seeds_table(arms: Sequence[ArmStory], metric: Metric, *, title: str = "") -> Table:
    """Every seed's value of every arm, a column for each seed."""
    seeds = sorted({seed for arm in arms for seed in arm.seeds})
    decimals = raw_decimals(arms, metric)
    rows = []
    for arm in arms:
        found = dict(zip(arm.seeds, arm.values.get(metric.name, ()), strict=False))
        rows.append((arm.name, *(value_text(found.get(seed), decimals) for seed in seeds)))
    headers = (f"{heading_of(metric)} by seed", *(str(seed) for seed in seeds))
    return Table(headers=headers, rows=tuple(rows), title=title or f"{metric.name}, every seed")


def raw_decimals(arms: Sequence[ArmStory], metric: Metric) -> int | None:
    """One decimal more than the spread asks for, so that a single value can be checked."""
    spreads = [spread(numbers_in(arm.values.get(metric.name, ()))) for arm in arms]
    decimals = decimals_of(*spreads)
    return None if decimals is None else decimals + 1


def value_text(value: Value | None, decimals: int | None) -> str:
    """A seed's value, why it has none, or a dash where the seed was not trained."""
    if value is None:
        return NOTHING
    return value.value if isinstance(value, NoValue) else number(float(value), decimals)


def measured_table(experiment: ExperimentStory, metric: Metric, story: Story) -> Table:
    """How each arm was measured: pairs, sd of the difference, correlation, detectable effect, limit, method."""
    rows = []
    for arm in experiment.arms:
        verdict = verdict_of(experiment, arm.name, metric, story.primary)
        if verdict is not None and verdict.n > 1:
            rows.append(_measurement(arm.name, verdict))
    headers = ("how measured", "pairs", "sd of difference", "correlation", "would show", "p limit", "method")
    return Table(headers=headers, rows=tuple(rows), title=f"{metric.name}, how it was measured")


def contrasts_of(experiment: ExperimentStory, metric: Metric) -> tuple[ContrastStory, ...]:
    """The contrasts of a factorial that are about this metric."""
    return tuple(c for c in experiment.contrasts if c.verdict.prediction.metric == metric.name)


def contrasts_table(contrasts: Sequence[ContrastStory], metric: Metric) -> Table:
    """Main effects and interactions, each with its interval."""
    rows = []
    for contrast in contrasts:
        v = contrast.verdict
        kind = "main effect" if len(contrast.factors) == 1 else "interaction"
        word = verdict_word(v) if v.prediction.is_registered else "not predicted"
        rows.append((contrast.label, kind, *_measured(v), _number_or_dash(v.detectable), word))
    unit = metric.difference_unit.strip()
    size = f"effect on {metric.name} ({unit})" if unit else f"effect on {metric.name}"
    headers = ("contrast", "kind", "seeds", size, "95 % interval", "p", "would show", "verdict")
    return Table(headers=headers, rows=tuple(rows), title=f"{metric.name}, effects", badges=7)


def contrast_seeds_table(contrasts: Sequence[ContrastStory], seeds: Sequence[int], metric: Metric) -> Table:
    """Each contrast's value within each seed."""
    longest = max((len(c.verdict.arm_values) for c in contrasts), default=0)
    rows = []
    for contrast in contrasts:
        values = contrast.verdict.arm_values
        digits = decimals_of(spread(numbers_in(values)))
        shown = [value_text(v, None if digits is None else digits + 1) for v in values]
        rows.append((contrast.label, *shown, *[NOTHING] * (longest - len(values))))
    names = [*map(str, seeds[:longest]), *[NOTHING] * (longest - len(seeds))]
    headers = (f"{metric.name}, effect by seed", *names)
    return Table(headers=headers, rows=tuple(rows), title=f"{metric.name}, effects within each seed")


def overview_table(story: Story) -> Table:
    """Every prediction's verdict, and the plain question of every arm about which nothing was predicted."""
    by_name = {m.name: m for m in story.metrics}
    rows = []
    for experiment in story.experiments:
        name = f"{experiment.number} · {experiment.id}"
        verdicts = all_verdicts(experiment)
        if not verdicts:
            rows.append((name, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, experiment.state, NOTHING))
        decision = "" if experiment.choice is None else _choice_word(experiment)
        for i, v in enumerate(verdicts):
            metric = by_name.get(v.prediction.metric, story.primary)
            pairs, difference, interval, p = _measured(v)
            unit = metric.difference_unit if v.estimate is not None else ""
            cells = (v.prediction.subject, metric.name, pairs, difference + unit, interval, p)
            word = verdict_word(v) if v.prediction.is_registered else f"{verdict_word(v)}, not predicted"
            rows.append((name if i == 0 else "", *cells, word, decision if i == 0 else ""))
    headers = ("experiment", "about", "metric", "pairs", "difference", "95 % interval", "p", "verdict", "decision")
    return Table(headers=headers, rows=tuple(rows), title="All verdicts", badges=7)


def claims_table(claims: Sequence[Claim], metric: Metric) -> Table:
    """What the fresh seeds say of each step."""
    rows = []
    for c in claims:
        digits = decimals_of(half_width(c.interval))
        rows.append(
            (
                c.step.name,
                NOTHING if c.estimate is None else signed(c.estimate, digits),
                interval_text(c.interval),
                p_value(c.p),
                p_value(c.p_adjusted),
                str(c.n),
                f"{c.wins} of {c.n}" if c.n else NOTHING,
                _correlation(c.correlation),
                _number_or_dash(c.detectable),
                "claimed" if c.is_confirmed else "not claimed",
            )
        )
    unit = metric.difference_unit.strip()
    size = f"gain in {metric.name} ({unit})" if unit else f"change of {metric.name}"
    headers = ("step", size, "95 % interval", "p", "p, Holm", "n", "won", "correlation", "would show", "")
    return Table(headers=headers, rows=tuple(rows), title="On fresh seeds", badges=9)


def claim_arms(claim: Claim, seeds: Sequence[int], metric: Metric) -> tuple[ArmStory, ArmStory]:
    """The configs before and after a claim as arms over the fresh seeds."""
    step = claim.step

    def arm(name: str, values: tuple[Value, ...]) -> ArmStory:
        return ArmStory(
            name=name, changes={}, config={}, seeds=tuple(seeds[: len(values)]), values={metric.name: values}
        )

    return arm(f"before: {step.before}", step.before_values), arm(f"after: {step.after}", step.after_values)


def revisions_table(story: Story) -> Table:
    """Every revision of the plan, what it changed and what was known by then."""
    rows = []
    for r in story.revisions:
        changes = "; ".join(r.changes) or ("the first plan" if r.number == 1 else NOTHING)
        known = "; ".join(r.known) or "nothing"
        rows.append((str(r.number), short_hash(r.plan_hash), moment(r.registered_at), changes, known))
    headers = ("revision", "plan", "registered", "changes", "already known by then")
    return Table(headers=headers, rows=tuple(rows), title="Revisions of the plan")


def cost_table(story: Story) -> Table:
    """Runs and time of the baseline and of each experiment."""
    rows = []
    for experiment in story.experiments:
        if experiment.runs_trained or experiment.runs_reused:
            name, trained = f"{experiment.number} · {experiment.id}", str(experiment.runs_trained)
            rows.append((name, trained, str(experiment.runs_reused), duration(experiment.train_seconds)))
    headers = ("experiment", "runs trained", "runs reused", "training time")
    return Table(headers=headers, rows=tuple(rows), title="Cost")


def facts_table(facts: Sequence[tuple[str, str]], title: str) -> Table:
    """Names and values in two columns."""
    return Table(headers=("what", "value"), rows=tuple(facts), title=title)


def changes_text(arm: ArmStory) -> str:
    """What the arm changes: "norm batch"."""
    return settings(arm.changes) or "nothing"


def _is_number(cell: str) -> bool:
    """A number with what may follow it ("8 (2 diverged)", "5.7 minutes"), but no hash and no date."""
    return bool(_NUMBER.match(cell)) or cell in tuple(NoValue)


def _measured(v: Verdict) -> tuple[str, str, str, str]:
    pairs = str(v.n) if v.n else NOTHING
    return pairs, difference_text(v), interval_text(v.interval), p_value(v.p) or NOTHING


def _measurement(name: str, v: Verdict) -> tuple[str, ...]:
    sd = _number_or_dash(v.sd_of_difference)
    return (
        name,
        str(v.n),
        sd,
        _correlation(v.correlation),
        _number_or_dash(v.detectable),
        p_value(v.threshold),
        v.method,
    )


def _correlation(r: float | None) -> str:
    return NOTHING if r is None else number(r, 2)


def _number_or_dash(size: float | None) -> str:
    return NOTHING if size is None else number(size, decimals_of(size))


def _seeds(values: Sequence[Value]) -> str:
    diverged = sum(v is NoValue.DIVERGED for v in values)
    lost = sum(v is NoValue.LOST for v in values)
    notes = [f"{n} {word}" for n, word in ((diverged, "diverged"), (lost, "lost")) if n]
    return f"{len(values)} ({', '.join(notes)})" if notes else str(len(values))


def _answers(experiment: ExperimentStory, arm: str, metric: Metric) -> str:
    about = [v for v in experiment.verdicts if v.prediction.arm == arm and v.prediction.metric == metric.name]
    words = [verdict_word(v) + ("" if v.prediction.is_registered else ", not predicted") for v in about]
    if not words and arm in experiment.steps:
        return "nothing predicted"
    return "; ".join(dict.fromkeys(words))


def _choice_word(experiment: ExperimentStory) -> str:
    choice = experiment.choice
    assert choice is not None
    more = f" with {count(choice.more_seeds, 'more seed')}" if choice.more_seeds else ""
    return f"{choice.decision.value} {choice.arm}".rstrip() + more
