"""The story of a study so far, as a Markdown notebook; no number in it is typed by hand."""

from __future__ import annotations

from surefoot.claim import Claim
from surefoot.comparison import NoValue, numbers_in
from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.phases_journal import phase_blocks
from surefoot.reports.searched import search_sentences, search_table
from surefoot.reports.sentences import (
    belief_sentences,
    claim_sentence,
    cost_sentence,
    decision_sentence,
    gap_sentence,
    metric_named,
    noise_sentences,
    overall_sentence,
    rule_sentence,
    standing_sentences,
    step_text,
    verdict_sentences,
)
from surefoot.reports.story import ExperimentStory, Story
from surefoot.reports.tables import (
    Table,
    arms_table,
    changes_text,
    claim_arms,
    claims_table,
    contrast_seeds_table,
    contrasts_of,
    contrasts_table,
    measured_table,
    metrics_of,
    overview_table,
    registered_verdicts,
    revisions_table,
    seeds_table,
    verdict_word,
)
from surefoot.stats.intervals import bound_after_none
from surefoot.words import (
    clause,
    count,
    duration,
    listing,
    mean_and_spread,
    moment,
    number,
    p_value,
    percent,
    settings,
    short_hash,
    unit_of,
)


def journal_markdown(story: Story) -> str:
    """The whole journal: where it stands, the noise floor, an entry for each experiment, the claims, what is open."""
    parts = [*opening_blocks(story), *phase_blocks(story), *baseline_blocks(story)]
    for experiment in story.experiments:
        parts.extend(entry(experiment, story))
    parts.extend(
        [
            *claims_blocks(story),
            *split_blocks(story),
            *chance_blocks(story),
            *open_blocks(story),
            *revisions_blocks(story),
        ]
    )
    return "\n\n".join(p for p in parts if p) + "\n"


def entry(experiment: ExperimentStory, story: Story, level: int = 2) -> list[str]:
    """One experiment as blocks of Markdown."""
    parts = [heading(level, entry_title(experiment)), *map(paragraph, belief_sentences(experiment, story))]
    parts += map(paragraph, search_sentences(experiment, story))
    if not experiment.arms or experiment.state in ("waiting", "skipped"):
        planned = [f"{arm.name}: {changes_text(arm)}" for arm in experiment.arms]
        return [*parts, bullets(planned), paragraph(decision_sentence(experiment, story)), *_next(experiment)]
    parts.append(paragraph(arms_sentence(experiment)))
    if experiment.search is not None:
        parts.append(table(search_table(experiment, story.primary)))
    for found in entry_tables(experiment, story):
        parts.append(table(found))
    parts.append(bullets(verdict_sentences(experiment, story)))
    return [*parts, *map(paragraph, entry_close(experiment, story)), *_next(experiment)]


def entry_title(experiment: ExperimentStory) -> str:
    """ "2 · normalisation — SUPPORTED (batch) — champion: norm none → batch"."""
    said = "; ".join(grouped_verdicts(experiment)) if experiment.choice is not None else ""
    step = step_text(experiment)
    moved = f"champion: {step}" if "→" in step else step
    return " — ".join(p for p in (f"{experiment.number} · {experiment.id}", said, moved) if p)


def grouped_verdicts(experiment: ExperimentStory) -> list[str]:
    """ "SUPPORTED (batch, instance)", "REFUTED (layer on val_loss)": the registered predictions by their verdict."""
    primary = next(iter(experiment.steps.values())).prediction.metric if experiment.steps else ""
    groups: dict[str, list[str]] = {}
    for v in registered_verdicts(experiment):
        on = "" if v.prediction.metric == primary else f" on {v.prediction.metric}"
        word = verdict_word(v).replace(" (", ", ").removesuffix(")")
        groups.setdefault(word, []).append(v.prediction.subject + on)
    return [f"{word} ({', '.join(subjects)})" for word, subjects in groups.items()]


def arms_sentence(experiment: ExperimentStory) -> str:
    """What each arm changes against the champion it met."""
    changes = [
        f"{arm.name} ({changes_text(arm)})" if changes_text(arm) != arm.name else arm.name for arm in experiment.arms
    ]
    champion = settings(experiment.champion_before)
    return f"Arms: {', '.join(changes)}{'; against the champion (' + champion + ')' if champion else ''}."


def entry_tables(experiment: ExperimentStory, story: Story) -> list[Table]:
    """An experiment's tables: arms, every seed, how measured; for a factorial also the effects."""
    found = []
    arms = [*([experiment.champion] if experiment.champion else []), *experiment.arms]
    for metric in metrics_of(experiment, story):
        measured, contrasts = measured_table(experiment, metric, story), contrasts_of(experiment, metric)
        if contrasts:
            found.append(contrasts_table(contrasts, metric))
            found.append(contrast_seeds_table(contrasts, max((a.seeds for a in arms), key=len), metric))
        found.append(arms_table(experiment, metric, story))
        found.append(seeds_table(arms, metric))
        if measured.rows:
            found.append(measured)
    return found


def entry_close(experiment: ExperimentStory, story: Story) -> list[str]:
    """Decision, gap, cost, what was the same and what differed, what was lost."""
    told = [decision_sentence(experiment, story)]
    told.append(" ".join(t for t in (gap_sentence(experiment, story), cost_sentence(experiment)) if t))
    facts = []
    if experiment.same:
        facts.append(f"Same in all arms: {', '.join(experiment.same)}.")
    if experiment.differs:
        facts.append(f"Differs: {', '.join(experiment.differs)}.")
    if experiment.losses:
        facts.append(f"Lost: {'; '.join(clause(loss) for loss in experiment.losses)}.")
    return [*told, " ".join(facts)] if facts else told


def open_threads(story: Story) -> list[str]:
    """What is not answered yet: experiments undecided, repeats asked for, steps to confirm, notices."""
    told = []
    for e in story.experiments:
        if e.choice is None:
            told.append(f"{e.id}: {step_text(e)}{', ' + clause(e.note) if e.note else ''}.")
        elif e.choice.decision.value == "REPEAT":
            seeds = f" with about {count(e.choice.more_seeds, 'more seed')}" if e.choice.more_seeds else ""
            told.append(f"{e.id}: {e.choice.arm} is promising but not shown; repeat it{seeds} as a new experiment.")
    tested = {c.step.name for c in story.claims}
    waiting = [
        p.label for p in story.path[1:] if not p.is_claimed and p.experiment not in tested and p.label not in tested
    ]
    if waiting and not story.claims:
        told.append(f"To be confirmed on {count(story.rule.confirm_seeds, 'fresh seed')}: {listing(waiting)}.")
    if story.primary.target is not None and story.target_gap is not None and story.target_gap > 0:
        told.append(standing_gap(story))
    return [*told, *(f"{clause(notice)}." for notice in story.notices)]


def standing_gap(story: Story) -> str:
    """The sentence about the target, on its own."""
    return next((t for t in standing_sentences(story) if "target" in t), "")


def claim_groups(story: Story) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """The confirmed claims, and those not confirmed."""
    return tuple(c for c in story.claims if c.is_confirmed), tuple(c for c in story.claims if not c.is_confirmed)


def chance_sentences(story: Story) -> list[str]:
    """How many adoptions chance alone would make, and the false-discovery rate of each arm."""
    told = []
    adopted = len(story.path) - 1
    if story.expected_false_adopts > 0:
        told.append(
            f"Chance alone would adopt at most {number(story.expected_false_adopts, 1)} worthless arms in a study "
            f"of this size; this one adopted {max(adopted, 0)}."
        )
    if story.q_values:
        shown = [f"{name} {p_value(q)}" for name, q in story.q_values.items()]
        told.append(f"False-discovery rate q (Benjamini-Hochberg over all arms): {', '.join(shown)}.")
    if story.overall is not None and not any(isinstance(v, NoValue) for v in story.overall.step.after_values):
        n = len(story.overall.step.after_values)
        told.append(
            f"None of the champion's {n} fresh seeds diverged; that only bounds the probability of a divergence "
            f"below {percent(bound_after_none(n))}."
        )
    return told


def sealed_split_sentences(story: Story) -> list[str]:
    """What the sealed test split showed, or that it is sealed."""
    if not story.test_values:
        return ["The test split is sealed; only finalise opens it, once."]
    told = [f"The test split was opened {_when(story.test_opened_at)}, after every choice was made."]
    for name, metrics in story.test_values.items():
        shown = [_test_text(story, metric, values) for metric, values in metrics.items()]
        told.append(f"{name}: {', '.join(shown)}.")
    return told


def _when(timestamp: str) -> str:
    return f"at {moment(timestamp)}" if timestamp else "in finalise"


def _test_text(story: Story, name: str, values: tuple[float, ...]) -> str:
    metric = metric_named(story, name)
    return f"{name} {mean_and_spread(values)}{unit_of(metric)} over {count(len(values), 'seed')}"


def opening_blocks(story: Story, what: str = "Journal of") -> list[str]:
    """The title, where the study stands, how it decides."""
    runs = listing([f"{n:,} {status}" for status, n in story.run_counts.items() if n])
    revision = (
        f"revision {story.revisions[-1].number} of {len(story.revisions)}" if story.revisions else "no revision yet"
    )
    about = f"Workload {story.workload}; plan {short_hash(story.plan_hash)}, {revision}; phase {story.phase}."
    spent = f"Runs: {runs}; {duration(3600 * story.hours)} of training." if runs else "No run has ended yet."
    return [
        heading(1, f"{what} {story.study}"),
        paragraph(f"{about} {spent}"),
        heading(2, "Where it stands"),
        *map(paragraph, standing_sentences(story)),
        paragraph(rule_sentence(story)),
    ]


def baseline_blocks(story: Story) -> list[str]:
    """The baseline's seeds and the noise floor."""
    parts = [heading(2, "Baseline and noise floor")]
    if story.baseline is None or not any(numbers_in(v) for v in story.baseline.values.values()):
        return [*parts, paragraph("The baseline has not been trained yet, so this study's noise is not known.")]
    parts.append(paragraph(f"The baseline: {settings(story.baseline.config)}."))
    for metric in story.metrics:
        values = numbers_in(story.baseline.values.get(metric.name, ()))
        if values:
            told = f"{metric.name} {mean_and_spread(values)}{unit_of(metric)} over {count(len(values), 'seed')}."
            parts.append(table(seeds_table([story.baseline], metric)))
            noise = story.noise.get(metric.name)
            known = noise_sentences(metric, noise, story.rule) if noise else []
            parts.append(paragraph(" ".join([told, *known])))
    return parts


def _next(experiment: ExperimentStory) -> list[str]:
    return [paragraph(f"Next: {clause(experiment.next)}.")] if experiment.next else []


def claims_blocks(story: Story) -> list[str]:
    """What is claimed, what is not, and the fresh seeds it rests on."""
    parts = [heading(2, "Claims")]
    if not story.claims and story.overall is None:
        return [*parts, paragraph("Nothing is claimed yet: no step was tested on fresh seeds.")]
    claimed, unclaimed = claim_groups(story)
    seeds = story.fresh_seeds
    if claimed:
        word = "result" if len(claimed) == 1 else "results"
        parts.append(paragraph(f"Claimed: {len(claimed)} {word}, each confirmed on seeds that no decision had seen."))
        parts.append(bullets([claim_sentence(c, story) for c in claimed]))
    if unclaimed:
        parts.extend([paragraph("Not claimed:"), bullets([claim_sentence(c, story) for c in unclaimed])])
    if story.claims:
        parts.append(table(claims_table(story.claims, story.primary)))
    if story.overall is not None:
        parts.append(paragraph(overall_sentence(story.overall, story.primary)))
    for claim in (*story.claims, *([story.overall] if story.overall else [])):
        parts.append(table(seeds_table(claim_arms(claim, seeds, story.primary), story.primary)))
    return parts


def split_blocks(story: Story) -> list[str]:
    """What the sealed test split showed."""
    return [heading(2, "The test split"), *map(paragraph, sealed_split_sentences(story))]


def chance_blocks(story: Story) -> list[str]:
    """All verdicts in one table, and how many chance alone would make."""
    told = chance_sentences(story)
    if not told and not story.experiments:
        return []
    overview = overview_table(story)
    parts = [heading(2, "All verdicts"), table(overview)] if overview.rows else []
    return [*parts, *map(paragraph, told)]


def open_blocks(story: Story) -> list[str]:
    """What is not answered yet."""
    told = open_threads(story)
    return [heading(2, "Open threads"), bullets(told) if told else paragraph("None: every experiment is decided.")]


def revisions_blocks(story: Story) -> list[str]:
    """The plan's revisions and what was known when each was registered."""
    if not story.revisions:
        return []
    late = [r for r in story.revisions if r.known]
    told = (
        f"{count(len(late), 'revision')} came after runs had ended; what was known by then is listed." if late else ""
    )
    return [heading(2, "Revisions of the plan"), table(revisions_table(story)), paragraph(told) if told else ""]
