"""The gate of the optimising: that what was tried was registered, compared and told apart, and led to a decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from surefoot.phases.dossier import Dossier
from surefoot.phases.gate import Check
from surefoot.phases.outlook import Outlook
from surefoot.phases.question import Question, few, named
from surefoot.phases.round import Round
from surefoot.phases.trained import AGAIN, checkpoints_stand, mean_in_words, values_of
from surefoot.run import Status, config_hash
from surefoot.words import clause, count, decimals_of, half_width, listing, number, signed, span, unit_of

NO_ROUND = "There was no round of optimising."
NO_VALUE = "no value to compare"
FEWEST_PAIRS = 2
LOST = (Status.FAILED, Status.INFEASIBLE)
OPEN = (Status.RUNNING, Status.INTERRUPTED)


def experiments_registered(dossier: Dossier) -> Check:
    """Whether every experiment was on record before its runs."""
    ask = Question(
        predicate="experiments_registered", text="Each experiment was on record before its runs were trained."
    )
    ids = _experiments(dossier)
    if not dossier.rounds:
        return ask.not_applicable(NO_ROUND)
    absent = [id_ for id_ in ids if not dossier.registrations.get(id_)]
    if absent or not ids:
        who = listing(absent) or "a round's experiment"
        return ask.blocked(f"No registration of {who} is on record: it shows nothing; try it again under another id.")
    # An ablation may ask for the very runs that its round has tried: these were foretold by the round.
    foretold: dict[int, str] = {}
    for id_ in ids:
        for run in dossier.tried.get(id_, ()):
            foretold[run.id] = min(foretold.get(run.id, dossier.registrations[id_]), dossier.registrations[id_])
    tried = {run.id: run for id_ in ids for run in dossier.tried.get(id_, ())}
    earlier = [run for run in tried.values() if "" < run.provenance.started_at < foretold[run.id]]
    events = tuple(f"registration of {id_}" for id_ in ids)
    if earlier:
        return ask.noted(
            f"{listing(ids)}; {count(len(earlier), 'run')} had been trained before, and were taken from the record.",
            *events,
            *named(earlier),
        )
    return ask.satisfied(f"{listing(ids)}, each before its runs.", *events)


def _experiments(dossier: Dossier) -> list[str]:
    return [id_ for round_ in dossier.rounds for id_ in round_.experiments]


def recommendations_answered(dossier: Dossier) -> Check:
    """Whether every recommendation was tried, or skipped with a reason."""
    ask = Question(
        predicate="recommendations_answered", text="Each recommendation was tried, or skipped with a reason."
    )
    if not dossier.rounds:
        return ask.not_applicable(NO_ROUND)
    wrong, tried, skipped = [], 0, 0
    for round_ in dossier.rounds:
        reasons = {r.id: reason.strip() for r, reason in round_.skipped}
        done = {r.id for r in round_.tried}
        tried, skipped = tried + len(done), skipped + len(reasons)
        wrong += [
            f"{r.id} of round {round_.number} ({r.title})"
            for r in round_.diagnosis.recommendations
            if r.id not in done and not reasons.get(r.id)
        ]
    if wrong:
        return ask.blocked(f"Neither tried nor skipped with a reason: {few(wrong)}.", *_rounds(dossier))
    return ask.satisfied(f"{tried} tried, {skipped} skipped with a reason.", *_rounds(dossier))


def _rounds(dossier: Dossier) -> tuple[str, ...]:
    return tuple(f"round {round_.number}" for round_ in dossier.rounds)


def trials_ended(dossier: Dossier) -> Check:
    """Whether every run of the experiments has ended; those that were lost are told."""
    ask = Question(predicate="trials_ended", text="Every run of the experiments has ended, and the lost ones are told.")
    if not dossier.rounds:
        return ask.not_applicable(NO_ROUND)
    ended = [f"{id_}: {clause(dossier.skipped[id_])}" for id_ in _experiments(dossier) if id_ in dossier.skipped]
    absent = [id_ for id_ in _experiments(dossier) if not dossier.tried.get(id_) and id_ not in dossier.skipped]
    if absent:
        return ask.blocked(f"No run of {listing(absent)} is on record: {AGAIN}.")
    runs = [run for id_ in _experiments(dossier) for run in dossier.tried.get(id_, ())]
    waiting = [run for run in runs if run.status in OPEN]
    if waiting:
        return ask.blocked(f"{few([f'run {r.id} is {r.status}' for r in waiting])}: {AGAIN}.", *named(waiting))
    if ended:
        return ask.noted(f"Not tried to its end, {few(ended, '; ')}.", *named(runs))
    lost = [f"run {r.id} {r.status}{f' ({clause(r.reason)})' if r.reason else ''}" for r in runs if r.status in LOST]
    if lost:
        return ask.noted(
            f"{count(len(runs), 'run')}, of which {len(lost)} gave no value: {few(lost, '; ')}.", *named(runs)
        )
    return ask.satisfied(f"{count(len(runs), 'run')}, none lost.", *named(runs))


def compared_by_pairs(dossier: Dossier) -> Check:
    """Whether every round was compared with its champion seed by seed, with an interval."""
    ask = Question(
        predicate="compared_by_pairs", text="What was tried is compared with the champion seed by seed, with intervals."
    )
    if not dossier.rounds:
        return ask.not_applicable(NO_ROUND)
    wrong: list[str] = []
    told: list[str] = []
    for round_ in dossier.rounds:
        said = _comparison(round_, dossier)
        (told if said else wrong).append(said or f"round {round_.number}")
    if wrong:
        return ask.blocked(
            f"No comparison over {FEWEST_PAIRS} or more pairs is on record of {listing(wrong)}: {AGAIN}."
        )
    if any(NO_VALUE in said for said in told):
        return ask.noted(f"{'; '.join(told)}.", *_rounds(dossier))
    return ask.satisfied(f"{'; '.join(told)}.", *_rounds(dossier))


def _comparison(round_: Round, dossier: Dossier) -> str:
    """What the round came to, as a clause; empty where it was not compared."""
    metric = dossier.plan.metric(dossier.plan.primary)
    if round_.gain is not None and round_.interval is not None and round_.n >= FEWEST_PAIRS:
        decimals = decimals_of(half_width(round_.interval))
        gain = f"{signed(round_.gain, decimals)}{metric.difference_unit} (95 % {span(round_.interval, decimals)}"
        what = round_.adopted or "the best arm, not adopted,"
        return f"round {round_.number}: {what} {gain}, {count(round_.n, 'pair')})"
    return "" if round_.adopted else _without_adoption(round_, dossier)


def _without_adoption(round_: Round, dossier: Dossier) -> str:
    """What speaks for a round that adopted nothing having been compared: its ledger, its parts, or its race."""
    rows = [row for row in dossier.ledger if row.experiment in round_.experiments]
    parts = [a for a in round_.attributions if max(a.alone_n, a.within_n) >= FEWEST_PAIRS]
    if round_.experiments and round_.experiments[0] in dossier.skipped:
        return f"round {round_.number}: {NO_VALUE}, as it was not tried to its end"
    measured = max(len(parts), sum(row.interval is not None and row.n >= FEWEST_PAIRS for row in rows))
    if measured:
        return f"round {round_.number}: nothing adopted, {count(measured, 'arm')} compared"
    told = [f"{row.title} {clause(row.verdict)}" for row in rows if row.verdict]
    if rows and len(told) == len(rows):
        return f"round {round_.number}: {NO_VALUE} ({few(told, '; ')})"
    # A search's arms are no recommendation's, so the ledger has none of them; they raced all the same.
    seeds: dict[str, set[int]] = {}
    for run in (run for id_ in round_.experiments for run in dossier.tried.get(id_, ())):
        seeds.setdefault(config_hash(run.config), set()).add(run.seed)
    raced = sum(len(some) >= FEWEST_PAIRS for some in seeds.values())
    return f"round {round_.number}: nothing adopted, {count(raced, 'config')} raced" if raced else ""


def work_attributed(dossier: Dossier) -> Check:
    """Whether an adopted step says which of its changes did the work."""
    ask = Question(predicate="work_attributed", text="Of each step it is known which of its changes did the work.")
    steps = [round_ for round_ in dossier.rounds if round_.adopted]
    if not steps:
        return ask.not_applicable("No round moved the champion." if dossier.rounds else NO_ROUND)
    searched = [str(r.number) for r in steps if r.strategy == "sweep"]
    wrong = [f"{title} in round {r.number}" for r in steps if r.strategy != "sweep" for title in _untold(r)]
    if wrong:
        return ask.blocked(
            f"Nothing on record says what {few(wrong)} did: {AGAIN}, the ablation too.", *_rounds(dossier)
        )
    if searched:
        return ask.noted(
            f"The search of round {listing(searched)} changed settings at once, and the step is theirs together.",
            *_rounds(dossier),
        )
    says = [a.says for r in steps for a in r.attributions]
    return ask.satisfied(few(says, " ") if says else "The step was a single change.", *_rounds(dossier))


def _untold(round_: Round) -> Iterator[str]:
    """The changes of a step of which nothing was measured; none where there was but one."""
    told = {a.recommendation for a in round_.attributions if a.says and not (a.alone is None and a.within is None)}
    if len(round_.tried) > 1:
        yield from (r.title for r in round_.tried if r.id not in told)


def champion_whole(dossier: Dossier) -> Check:
    """Whether the champion's runs are on record, complete."""
    ask = Question(
        predicate="champion_whole", text="The champion's runs are on record, complete, judged by their last values."
    )
    if not dossier.champion:
        return ask.blocked(f"No run of the champion is on record: {AGAIN}.")
    runs = named(dossier.champion)
    waiting = [run for run in dossier.champion if run.status in OPEN]
    if waiting:
        return ask.blocked(f"{few([f'run {r.id} is {r.status}' for r in waiting])}: {AGAIN}.", *runs)
    # A race may end before the rule's last seed, so what counts is how many pairs the champion was adopted on.
    pairs = next((r.n for r in reversed(dossier.rounds) if r.adopted), 0)
    there = count(len(dossier.champion), "run")
    if len(dossier.champion) < pairs:
        return ask.blocked(
            f"The champion was adopted on {count(pairs, 'pair')}, and the record has {there} of it: {AGAIN}.", *runs
        )
    metric = dossier.plan.metric(dossier.plan.primary)
    values = values_of(dossier.champion, metric)
    if len(values) < FEWEST_PAIRS:
        return ask.blocked(f"{count(len(values), 'run')} of the champion gave a {metric.name}: {AGAIN}.", *runs)
    told = f"{metric.name} {mean_in_words(values, metric)}"
    if len(values) < len(dossier.champion):
        lost = [f"run {r.id} is {r.status}" for r in dossier.champion if r.status is not Status.COMPLETE]
        return ask.noted(f"{told}; {few(lost) or 'the others gave no value'}.", *runs)
    return ask.satisfied(f"{told}.", *runs)


def champion_checkpoints(dossier: Dossier) -> Check:
    """Whether the champion's checkpoints are on disk, best and last apart."""
    ask = Question(
        predicate="champion_checkpoints", text="The champion's best and last checkpoints are on disk, whole."
    )
    return checkpoints_stand(ask, dossier.champion, dossier)


def outcome_settled(dossier: Dossier) -> Check:
    """Whether the gain is confirmed, the target met, or the ceiling accepted by rule."""
    ask = Question(
        predicate="outcome_settled",
        text="The gain is confirmed on fresh seeds, or the target met, or the ceiling accepted by rule.",
    )
    metric = dossier.plan.metric(dossier.plan.primary)
    values = values_of(dossier.champion, metric)
    last = decision_of(dossier)
    is_met = bool(values) and is_reached(sum(values) / len(values), metric.target, metric.sign)
    claim = dossier.overall
    if claim is not None and claim.is_confirmed and claim.estimate is not None and claim.interval is not None:
        decimals = decimals_of(half_width(claim.interval))
        return ask.satisfied(
            f"Confirmed on {count(claim.n, 'fresh seed')}: {metric.name} {signed(claim.estimate, decimals)}"
            f"{metric.difference_unit} (95 % {span(claim.interval, decimals)}).",
            "confirmation",
        )
    if is_met and metric.target is not None:
        told = (
            f"{metric.name} {mean_in_words(values, metric)} meets the target {number(metric.target)}{unit_of(metric)}"
        )
        if claim is not None:
            return ask.noted(
                f"{told}, though the gain was not confirmed: {clause(claim.reason)}.", *named(dossier.champion)
            )
        return ask.satisfied(f"{told}.", *named(dossier.champion))
    if last is not None and last.turn == "ceiling":
        return ask.noted(f"The ceiling is accepted: {clause(last.because)}.", *_rounds(dossier)[-1:])
    if not dossier.rounds:
        return ask.not_applicable(NO_ROUND)
    return ask.blocked("No gain is confirmed, the target is not met, and the rules do not accept a ceiling yet.")


def decision_of(dossier: Dossier) -> Outlook | None:
    """The latest decision; None before the first."""
    if dossier.decision is not None:
        return dossier.decision
    return dossier.rounds[-1].outlook if dossier.rounds else None


def is_reached(value: float, target: float | None, sign: int) -> bool:
    """Whether the value is at the target or beyond; False where there is none."""
    return target is not None and sign * (value - target) >= 0


def decision_recorded(dossier: Dossier) -> Check:
    """Whether each round ended in a decision, and the last one in the end of optimising."""
    ask = Question(
        predicate="decision_recorded", text="Each round ended in a decision, and the last one ends the optimising."
    )
    if not dossier.rounds:
        last = dossier.decision
        return ask.satisfied(f"No round: {clause(last.because)}.") if last else ask.not_applicable(NO_ROUND)
    open_ = [str(round_.number) for round_ in dossier.rounds if round_.outlook is None]
    if open_:
        return ask.blocked(f"Round {listing(open_)} has no decision on record: {AGAIN}.")
    last = decision_of(dossier)
    assert last is not None
    if last.turn not in ("finalise", "ceiling"):
        return ask.blocked(f"The decision is to {last.turn}: {clause(last.because)}.", *_rounds(dossier)[-1:])
    return ask.satisfied(f"{last.turn.capitalize()}: {clause(last.because)}.", *_rounds(dossier)[-1:])


OPTIMISE_GATE: Final[tuple[Callable[[Dossier], Check], ...]] = (
    experiments_registered,
    recommendations_answered,
    trials_ended,
    compared_by_pairs,
    work_attributed,
    champion_whole,
    champion_checkpoints,
    outcome_settled,
    decision_recorded,
)
