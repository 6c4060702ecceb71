"""A sweep's journal and report as Markdown; no number in them is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from surefoot.reports.markdown import bullets, escaped, heading, paragraph, table
from surefoot.reports.pictures import Picture
from surefoot.reports.sweep_sentences import (
    chosen_sentences,
    go_on,
    seeds_caution,
    standing_sentence,
    survival_text,
    time_sentence,
)
from surefoot.reports.sweep_story import SweepStory
from surefoot.reports.sweep_tables import (
    MOST_ROWS,
    by_value,
    cost_table,
    failures_table,
    fresh_table,
    levels_table,
    others_table,
    space_table,
    standings_table,
    trials_table,
)
from surefoot.reports.tables import facts_table
from surefoot.words import count, moment, sentence


def sweep_markdown(story: SweepStory) -> str:
    """The whole journal of a sweep: where it stands, what fresh seeds said, the trials, what did not count."""
    return _page(story, f"Sweep {story.sweep.name}", {})


def sweep_report_markdown(story: SweepStory, pictures: Mapping[str, Picture]) -> str:
    """What the HTML page tells, in its order; pictures are linked as figures/NAME.png."""
    return _page(story, f"Report on sweep {story.sweep.name}", pictures)


def _page(story: SweepStory, title: str, pictures: Mapping[str, Picture]) -> str:
    parts = [
        heading(1, title),
        paragraph(story.sweep.description),
        *map(paragraph, standing_paragraphs(story)),
        *_command(story),
        *_fresh(story, pictures),
        *_config(story),
        *_figure("The history", pictures.get("history")),
        *_figure("The Pareto front", pictures.get("front")),
        *_figure("The parameters", pictures.get("slices")),
        *_levels(story),
        *_figure("Early stopping", pictures.get("stopping")),
        *_trials(story),
        *_failures(story),
        heading(2, "Cost"),
        table(cost_table(story)),
        heading(2, "What was searched"),
        paragraph(asked_sentence(story)),
        table(space_table(story)),
        *_footing(story),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def standing_paragraphs(story: SweepStory) -> list[str]:
    """Where the sweep stands: the answer of the fresh seeds, what it rests on, what it cost."""
    rest = [sentence(standing_sentence(story)), sentence(time_sentence(story))]
    return [*_answer(story), " ".join(rest)]


def _answer(story: SweepStory) -> list[str]:
    told = " ".join(chosen_sentences(story))
    return [told] if told else []


def asked_sentence(story: SweepStory) -> str:
    """How the sweep searches, how it stops early and what it confirms, in one paragraph."""
    sweep, targets = story.sweep, story.sweep.targets
    goals = " and ".join(f"{m.goal} {m.name}" for m in targets)
    told = [f"To {goals} of {sweep.workload_name}, configs are proposed by {sweep.method.name} (seed "]
    told[0] += f"{sweep.search_seed}), each answered by {count(sweep.seeds, 'seed')}."
    if sweep.stopping is not None:
        told.append(f"Trials are stopped early by {sweep.stopping.rule}.")
    if sweep.confirmation is not None and len(targets) == 1:
        top, seeds = sweep.confirmation.top, sweep.confirmation.seeds
        told.append(f"After exploring, the best {top} race on fresh seeds; {seeds} further ones say what is won.")
    limits = [c.text for c in sweep.space.constraints]
    if limits:
        told.append(f"Constraints: {'; '.join(limits)}.")
    return " ".join(told)


def chosen_config(story: SweepStory) -> tuple[str, dict[str, Any]]:
    """Whose config is to go on with, and the config; the best by exploring where nothing is chosen, nothing of none."""
    trial = story.trial(story.chosen.number) if story.chosen else None
    who = "The chosen config"
    if trial is None:
        trial = story.best_trial if len(story.sweep.targets) == 1 else None
        who = "The best config by exploring"
    if trial is None:
        return "", {}
    return f"{who}, trial {trial.number}", {**story.sweep.base, **trial.settings}


def config_line(config: Mapping[str, Any]) -> str:
    """The config as one line of YAML that a plan or a sweep takes."""
    return json.dumps(config, ensure_ascii=False, default=str)


def _command(story: SweepStory) -> list[str]:
    command, does = go_on(story)
    return [f"To go on: {_code(command)} {escaped(does)}."]


def _code(text: str) -> str:
    """Text in code marks, which hold whatever backticks are in it."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in _runs_of_backticks(line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def _runs_of_backticks(text: str) -> list[str]:
    return [run for run in "".join(c if c == "`" else " " for c in text).split() if run]


def _fresh(story: SweepStory, pictures: Mapping[str, Picture]) -> list[str]:
    parts = _figure("What fresh seeds said", pictures.get("fresh"))
    if story.chosen is None:
        if parts or story.best_trial is None:
            return parts
        trial = story.best_trial
        told = (
            f"No fresh seed has spoken: trial {trial.number} is the best by exploring ({seeds_caution(trial.seeds)})."
        )
        return [heading(2, "What fresh seeds said"), paragraph(told)]
    survives = f"Of the config with the best exploring value: {survival_text(story.chosen)}."
    return [
        *(parts or [heading(2, "What fresh seeds said")]),
        paragraph(survives),
        table(standings_table(story)),
        table(fresh_table(story)),
    ]


def _figure(title: str, picture: Picture | None) -> list[str]:
    if picture is None:
        return []
    if not picture.png:
        return [heading(2, title), paragraph(picture.caption)]
    shown = f"![{escaped(picture.title)}](figures/{picture.name}.png)"
    return [heading(2, title), paragraph(f"{picture.title}."), shown, paragraph(picture.caption)]


def _config(story: SweepStory) -> list[str]:
    who, config = chosen_config(story)
    if not who:
        return []
    told = f"{who}, as the base of a further sweep or the baseline of a study:"
    fence = "`" * max(3, 1 + max((len(r) for r in _runs_of_backticks(config_line(config))), default=0))
    return [heading(2, "The config"), paragraph(told), f"{fence}yaml\n{config_line(config)}\n{fence}"]


def _levels(story: SweepStory) -> list[str]:
    levels = levels_table(story)
    if not levels.rows:
        return []
    told = "Each scientific setting was tuned on its own; only as many trials of each count here, so that none had "
    told += "more chances to be lucky."
    return [heading(2, levels.title), paragraph(told), table(levels)]


def _trials(story: SweepStory) -> list[str]:
    ranking = by_value(story)
    if not ranking:
        return []
    cut = f" ({MOST_ROWS} of {len(ranking):,})" if len(ranking) > MOST_ROWS else ""
    return [heading(2, f"The trials, the best first{cut}"), table(trials_table(story))]


def _failures(story: SweepStory) -> list[str]:
    failed, others = failures_table(story), others_table(story, MOST_ROWS)
    parts = [heading(2, "What failed"), table(failed)] if failed.rows else []
    if any(t.state in ("PRUNED", "PAUSED") or t.barred_by for t in story.trials):
        parts += [heading(2, "What was stopped early or does not count"), table(others)]
    return parts


def _footing(story: SweepStory) -> list[str]:
    parts = []
    told = [*left_out_sentences(story), *story.sweep.notices, *story.notices]
    if told:
        parts += [heading(2, "To be known"), bullets(list(dict.fromkeys(told)))]
    return [*parts, heading(2, "Provenance"), table(facts_table(facts(story), "Provenance"))]


def left_out_sentences(story: SweepStory) -> list[str]:
    """The trials on record that do not count today, and why."""
    return [
        f"{count(n, 'earlier trial')} {'does' if n == 1 else 'do'} not count: {why}."
        for why, n in story.left_out.items()
    ]


def facts(story: SweepStory) -> list[tuple[str, str]]:
    """What the sweep rests on."""
    own = [("sweep", story.sweep.name), ("workload", story.sweep.workload_name)]
    own += [("file", story.sweep.path)] if story.sweep.path else []
    own.append(("registered", f"{moment(story.registered_at)}, revision {story.revisions}"))
    return [*own, *((name, value) for name, value in story.provenance.items() if value)]
