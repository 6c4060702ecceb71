"""What is said of a belief, a prediction, a verdict, a decision, a gap and a claim, in plain sentences."""

from __future__ import annotations

import math

from surefoot.claim import Claim
from surefoot.comparison import Noise, numbers_in
from surefoot.plan import Prediction, Rule
from surefoot.reports.story import ExperimentStory, Story
from surefoot.reports.tables import registered_verdicts, verdict_word
from surefoot.run import Metric
from surefoot.stats.power import chance_difference, detectable_effect
from surefoot.stats.sequential import limit_at
from surefoot.verdict import Answer, Cause, Decision, End, Verdict
from surefoot.words import (
    clause,
    config_change,
    count,
    decimals_of,
    duration,
    half_width,
    listing,
    mean_and_spread,
    mean_of,
    moment,
    number,
    p_phrase,
    p_value,
    percent,
    sentence,
    short_hash,
    signed,
    span,
    spread,
    unit_of,
)

UNDECIDED = {"running": "still running", "waiting": "not begun", "skipped": "skipped"}


def metric_named(story: Story, name: str) -> Metric:
    """The story's metric of that name; one without unit or target where the story does not list it."""
    return {m.name: m for m in story.metrics}.get(name, Metric(name=name, goal=story.primary.goal))


def prediction_text(p: Prediction, metric: Metric) -> str:
    """What a prediction says: "instance raises val_accuracy by at least 1 pp"."""
    unit = metric.difference_unit
    subject = p.subject or "the arm"
    if p.interaction:
        subject = f"{subject}, together,"
    if p.relation == "between":
        return f"{subject} moves {p.metric} by {signed(p.low)} to {signed(p.high)}{unit}"
    if p.relation == "same":
        within = f" within ±{number(p.within)}{unit}" if p.within is not None else ""
        return f"{subject} leaves {p.metric} as it is{within}"
    verb = "raises" if (metric.sign > 0) == (p.relation == "better") else "lowers"
    amount = f" by at least {number(p.by)}{unit}" if p.by else ""
    beyond = " beyond the sum of their single effects" if p.interaction else ""
    return f"{subject} {verb} {p.metric}{amount}{beyond}"


def belief_sentences(experiment: ExperimentStory, story: Story) -> list[str]:
    """The hypothesis, its reason, and what was predicted before any run (or after what was known)."""
    told = [f"We believed: {sentence(experiment.hypothesis)}"]
    if experiment.because:
        told[0] += f" Because: {sentence(experiment.because)}"
    if experiment.repeats:
        told.append(f"This repeats {experiment.repeats} on fresh seeds, with re-spent error.")
    where = f"plan {short_hash(experiment.plan_hash)}, revision {experiment.revision}"
    where += f", registered {moment(experiment.registered_at)}" if experiment.registered_at else ""
    wanted = [prediction_text(p, metric_named(story, p.metric)) for p in experiment.predictions if p.is_registered]
    if not wanted:
        told.append(f"Nothing was predicted ({where}); each arm is asked whether it is better in {story.primary.name}.")
    elif experiment.known:
        told.append(f"We predicted ({where}) that {'; '.join(wanted)}.")
    else:
        told.append(f"We predicted, before any run ({where}), that {'; '.join(wanted)}.")
    if experiment.known:
        known = "; ".join(clause(k) for k in experiment.known)
        told.append(
            f"Already known when this was registered: {known}. It was not written blind; "
            "only its runs on seeds not yet trained then are evidence of foresight."
        )
    return told


def verdict_sentence(v: Verdict, metric: Metric) -> str:
    """The verdict on one prediction: what it was to be, what was measured, and why it is no more than that."""
    subject = v.prediction.subject or "the arm"
    if not v.is_settled:
        return f"{subject}: not decided yet; the next look is at {count(v.wanted, 'seed')}."
    asked = prediction_text(v.prediction, metric)
    said = f"predicted: {asked}" if v.prediction.is_registered else f"nothing was predicted; asked whether {asked}"
    parts = [f"{subject}: {verdict_word(v)}. {sentence(said)}"]
    if v.estimate is not None and v.interval is not None:
        parts.append(sentence(_measurement(v, metric)))
    elif v.end is End.SCREENED and v.gain is not None and not v.reason:
        parts.append("It was screened out on its first seed.")
    if v.reason:
        parts.append(sentence(v.reason))
    if v.end is not End.SCREENED:
        parts.append(_power(v, metric))
    return " ".join(p for p in parts if p)


def verdict_sentences(experiment: ExperimentStory, story: Story) -> list[str]:
    """One sentence for each prediction, then for each arm about which nothing was predicted."""
    registered = registered_verdicts(experiment)
    # The cells of a factorial answer through its effects; their own numbers stand in the table.
    asked = [] if experiment.contrasts else [v for v in experiment.verdicts if not v.prediction.is_registered]
    return [verdict_sentence(v, metric_named(story, v.prediction.metric)) for v in (*registered, *asked)]


def decision_sentence(experiment: ExperimentStory, story: Story) -> str:
    """The decision and whether it is claimed; what is missing where there is none."""
    choice = experiment.choice
    if choice is None:
        state = undecided(experiment)
        return f"No decision: {state}{', ' + clause(experiment.note) if experiment.note else ''}."
    reason = clause(choice.reason)
    if choice.decision is Decision.ADOPT:
        return f"Decision: ADOPT {choice.arm}{', ' + reason if reason else ''}. {claim_status(experiment, story)}"
    if choice.decision is Decision.REPEAT:
        seeds = f" with about {count(choice.more_seeds, 'more seed')}" if choice.more_seeds else ""
        return (
            f"Decision: REPEAT {choice.arm}{seeds}{' (' + reason + ')' if reason else ''}. The champion stays; "
            "a repeat is a new experiment on fresh seeds with re-spent error, never seeds added to this one."
        )
    return f"Decision: KEEP the champion{', ' + reason if reason else ''}."


def claim_of(experiment: ExperimentStory, story: Story) -> Claim | None:
    """The claim tested for the step that this experiment took; None while there is none."""
    names = {experiment.id, *(p.label for p in story.path if p.experiment == experiment.id)}
    if experiment.choice is not None:
        names |= {f"{experiment.id} / {experiment.choice.arm}", f"{experiment.id}: {experiment.choice.arm}"}
    return next((c for c in story.claims if c.step.name in names), None)


def claim_status(experiment: ExperimentStory, story: Story) -> str:
    """Whether an adopted step is claimed, refused, or still to be confirmed."""
    claim = claim_of(experiment, story)
    if claim is None:
        fresh = count(story.rule.confirm_seeds, "fresh seed")
        return f"Not yet claimed: {fresh} will confirm or not."
    if claim.is_confirmed:
        return f"Claimed: {count(claim.n, 'fresh seed')} confirmed it (see Claims)."
    return f"Not claimed: {clause(claim.reason)}."


def gap_sentence(experiment: ExperimentStory, story: Story) -> str:
    """The gap to the target before and after, in the metric's unit, and the share of it that was closed."""
    metric, before, after = story.primary, experiment.gap_before, experiment.gap_after
    if metric.target is None or after is None:
        return ""
    unit, digits = metric.difference_unit, gap_decimals(story)
    to = f"Gap to {number(metric.target)}{unit_of(metric)}"
    if before is None:
        return f"{to}: {number(after, digits)}{unit}."
    if before == after:
        return f"{to}: {number(after, digits)}{unit}, unchanged."
    moved = f"{to}: {number(before, digits)} → {number(after, digits)}{unit}"
    if after <= 0:
        return f"{moved}: the target is reached on exploring seeds."
    share = (before - after) / before if before > 0 else math.nan
    return f"{moved} ({percent(share)} closed by this step)." if math.isfinite(share) else f"{moved}."


def gap_decimals(story: Story) -> int | None:
    """The decimals of a gap: those of the champion's mean, else of the baseline's noise."""
    noise = story.noise.get(story.primary.name)
    return decimals_of(noise.floor_sd if noise and noise.floor_sd > 0 else spread(story.champion_values))


def cost_sentence(experiment: ExperimentStory) -> str:
    """How many runs were trained and reused, and for how long."""
    reused = f"{count(experiment.runs_reused, 'run')} reused" if experiment.runs_reused else "none reused"
    trained = f"{count(experiment.runs_trained, 'run')} trained"
    return f"Cost: {trained}, {reused}, {duration(experiment.train_seconds)} of training."


def undecided(experiment: ExperimentStory) -> str:
    """Why there is no decision yet, in a word or two."""
    if experiment.state == "running" and experiment.search is not None and not experiment.arms:
        return "still exploring"
    return UNDECIDED.get(experiment.state, experiment.state)


def step_text(experiment: ExperimentStory) -> str:
    """ "norm none → batch", or that the champion stays."""
    if experiment.choice is None:
        return undecided(experiment)
    return config_change(experiment.champion_before, experiment.champion_after) or "champion stays"


def standing_sentences(story: Story) -> list[str]:
    """Where the study stands: champion, target, gap, and what of it is claimed."""
    metric, told = story.primary, []
    if not story.champion_values:
        told.append(f"Nothing is measured yet; the study is in its {story.phase} phase.")
    else:
        steps = len(story.path) - 1
        who = (
            "The champion is the baseline" if steps < 1 else f"The champion is {count(steps, 'step')} from the baseline"
        )
        seeds = count(len(story.champion_values), "exploring seed")
        told.append(f"{who}: {metric.name} {mean_and_spread(story.champion_values)}{unit_of(metric)} over {seeds}.")
    told.extend(_target(story))
    fresh = fresh_champion(story)
    if fresh:
        told.append(_on_fresh_seeds(fresh, metric))
    if len(story.path) > 1 and story.overall is None:
        told.append(
            "The exploring seeds chose it, so its mean flatters it; nothing of it is claimed without fresh seeds."
        )
    if story.overall is not None:
        told.append(overall_sentence(story.overall, metric))
    return told


def fresh_champion(story: Story) -> list[float]:
    """The champion's values on the seeds of the overall test; none before it was made."""
    return numbers_in(story.overall.step.after_values) if story.overall else []


def _on_fresh_seeds(values: list[float], metric: Metric) -> str:
    stands = f"{mean_and_spread(values)}{unit_of(metric)} over {count(len(values), 'seed')}"
    text = f"On fresh seeds, which chose nothing and flatter nothing, it stands at {stands}"
    if metric.target is None:
        return f"{text}."
    gap = metric.sign * (metric.target - (mean_of(values) or 0.0))
    size = f"{number(abs(gap), decimals_of(spread(values)))}{metric.difference_unit}"
    return f"{text}, {size} {'short of the target' if gap > 0 else 'beyond the target'}."


def overall_sentence(overall: Claim, metric: Metric) -> str:
    """The one test of champion against baseline on fresh seeds."""
    if overall.estimate is None:
        return f"Champion against baseline on fresh seeds: not testable, {clause(overall.reason)}."
    word = "confirmed" if overall.is_confirmed else f"not confirmed ({clause(overall.reason)})"
    change = _claimed_change(overall, metric, is_corrected=False)
    return f"Champion against baseline on {count(overall.n, 'fresh seed')}: {word}; {change}."


def claim_sentence(claim: Claim, story: Story) -> str:
    """A confirmed step as a result, or an unconfirmed one with the reason."""
    metric = metric_named(story, claim.metric)
    change = f"{claim.step.before} → {claim.step.after}" if claim.step.before or claim.step.after else ""
    name = f"{claim.step.name}{' (' + change + ')' if change else ''}"
    if claim.estimate is None:
        return f"{name}: {clause(claim.reason)}."
    text = f"{name}: {_claimed_change(claim, metric)}"
    if not claim.is_confirmed:
        return f"{text}. {sentence(claim.reason)}"
    low, high = claim.share_better
    chance = f"a single run after it beats one before with a probability of {percent(low)} to {percent(high)}"
    label = ", a meaningful one" if claim.is_meaningful else ""
    return f"{text}; {claim.wins} of {claim.n} pairs were better, so {chance}{label}."


def noise_sentences(metric: Metric, noise: Noise, rule: Rule) -> list[str]:
    """The noise floor: what single runs must differ by, and what pairs could show."""
    if noise.floor_n < 2 or noise.floor_sd <= 0:
        return [f"The noise floor of {metric.name} is not known yet: it needs at least two baseline seeds that differ."]
    unit, digits = metric.difference_unit, decimals_of(noise.floor_sd)
    single = single_run_limit(noise)
    told = [
        f"The sd over {count(noise.floor_n, 'baseline seed')} is {number(noise.floor_sd, digits)}{unit}: "
        f"two single runs must differ by more than {number(single, decimals_of(single))}{unit} to count."
    ]
    shown: list[str] = []
    for n in rule.looks:
        size = detectable_with(noise, n, rule)
        would = "" if shown else " would show a true difference of"
        shown.append(f"{count(n, 'pair')}{would} {number(size, decimals_of(size))}{unit}")
    told.append(f"{listing(shown)} (80 times in 100).")
    pairing = "Pairing by seed is assumed to help until past pairs speak."
    if noise.correlation is not None:
        use = "arms are compared seed by seed" if noise.is_paired else "arms are compared as two samples"
        pairing = f"Runs with one seed correlate at {number(noise.correlation, 2)} over past arms, so {use}."
    return [*told, pairing]


def single_run_limit(noise: Noise) -> float:
    """The difference that two single runs exceed by chance 5 times in 100, from the baseline's spread."""
    return chance_difference(noise.floor_sd, noise.floor_n - 1)


def detectable_with(noise: Noise, n: int, rule: Rule) -> float:
    """What n pairs (or n runs an arm) of this study would show with power 0.8, held against the race's limit."""
    df = noise.prior.df + (n - 1) * (1 if noise.is_paired else 2)
    limit = limit_at(n, rule.looks, rule.support_alpha, noise.prior.df)
    return detectable_effect(noise.difference_sd, n, df, alpha=limit)


def rule_sentence(story: Story) -> str:
    """How the study decides, in one breath."""
    rule = story.rule
    looks = listing([str(n) for n in rule.looks], "or")
    return (
        f"Arms race at {looks} seeds against the champion; p is one-sided and held against the race's limit, "
        f"so that a prediction is wrongly settled at most {percent(rule.support_alpha)} of the time over all looks and "
        f"a worthless arm adopted, to explore on, at most {percent(rule.adopt_alpha)}. Only a gain confirmed on "
        f"{count(rule.confirm_seeds, 'fresh seed')} (Holm, {percent(rule.claim_alpha)}) is claimed. "
        "Spreads (±) are standard deviations over seeds; intervals are t intervals at 95 %. "
        "In a table of arms the difference and p say whether an arm is better at all, on which adoption rests; "
        "the verdict answers what was predicted. "
        '"Would show" is the true difference that 80 of 100 such comparisons would have shown.'
    )


def _target(story: Story) -> list[str]:
    metric, gap = story.primary, story.target_gap
    if metric.target is None:
        return [f"The plan names no target for {metric.name}."]
    target = f"{number(metric.target)}{unit_of(metric)}"
    if gap is None:
        return [f"The target is {target}."]
    size = f"{number(abs(gap), gap_decimals(story))}{metric.difference_unit}"
    if gap <= 0:
        return [f"The target of {target} is reached on exploring seeds, by {size}."]
    first = mean_of(story.path[0].exploring) if story.path else None
    whole = metric.sign * (metric.target - first) if first is not None else 0.0
    share = f", {percent(1 - gap / whole)} of the way from the baseline" if whole > 0 and len(story.path) > 1 else ""
    on = " on exploring seeds" if story.champion_values and len(story.path) > 1 else ""
    return [f"To the target of {target} it is {size}{share}{on}."]


def _measurement(v: Verdict, metric: Metric) -> str:
    assert v.estimate is not None and v.interval is not None
    digits, unit = decimals_of(half_width(v.interval)), metric.difference_unit
    limit = f" against a limit of {p_value(v.threshold)}" if v.threshold is not None else ""
    p = f", {p_phrase(v.p)}{limit}" if v.p is not None else ""
    # A contrast is measured within each seed, over all its cells.
    over = count(v.n, "pair" if v.prediction.arm else "seed")
    return f"measured {signed(v.estimate, digits)}{unit} (95 % interval {span(v.interval, digits)}, over {over}{p})"


def _power(v: Verdict, metric: Metric) -> str:
    if v.answer is not Answer.INCONCLUSIVE or v.cause is not Cause.UNDERPOWERED or v.detectable is None:
        return ""
    size = f"{number(v.detectable, decimals_of(v.detectable))}{metric.difference_unit}"
    told = f"{count(v.n, 'pair')} would have shown a true difference of {size} or more"
    if v.more_seeds is None:
        return f"{told}; no affordable number of seeds would settle it."
    return f"{told}; about {count(v.more_seeds, 'more seed')} would settle it."


def _claimed_change(claim: Claim, metric: Metric, *, is_corrected: bool = True) -> str:
    assert claim.estimate is not None
    digits, unit = decimals_of(half_width(claim.interval)), metric.difference_unit
    verb = "rose" if claim.estimate > 0 else "fell" if claim.estimate < 0 else "moved"
    text = f"{metric.name} {verb} by {number(abs(claim.estimate), digits)}{unit}"
    if claim.interval is not None:
        p = claim.p_adjusted if is_corrected else claim.p
        seeds = f", {count(claim.n, 'fresh seed')}" if is_corrected else ""
        tested = f", {p_phrase(p)}{' after Holm' if is_corrected else ''}" if p is not None else ""
        text += f" (95 % interval {span(claim.interval, digits)}{seeds}{tested})"
    return text
