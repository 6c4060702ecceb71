"""The journal of a sweep as Markdown and JSON; no number in it is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.sweep_sentences import chosen_sentences, counts_sentence, standing_sentence
from surefoot.reports.sweep_story import SweepStory, TrialStory
from surefoot.reports.tables import Table
from surefoot.reports.words import duration, number, sentence, setting
from surefoot.reports.write import write_whole

MOST_ROWS = 20


def sweep_markdown(story: SweepStory) -> str:
    """The whole journal of a sweep: where it stands, what fresh seeds said, the trials, what did not count."""
    sweep = story.sweep
    parts = [
        heading(1, f"Sweep {sweep.name}"),
        paragraph(sweep.description),
        paragraph(f"{sentence(standing_sentence(story))} {duration(3600 * story.hours)} of training."),
        heading(2, "What fresh seeds said"),
        *map(paragraph, chosen_sentences(story)),
        heading(2, f"The trials, the best first{_cut(story)}"),
        table(trials_table(story)),
        *_failures(story),
        *_left_out(story),
        bullets(story.sweep.notices + story.notices) if story.sweep.notices + story.notices else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def trials_table(story: SweepStory, most: int = MOST_ROWS) -> Table:
    """The trials with a value, the best first, at most so many."""
    names = [p for p in story.sweep.space.names()]
    rows = [
        (
            f"trial {trial.number}",
            *(number(v) for v in trial.values),
            str(trial.seeds),
            *(setting(trial.settings[name]) if name in trial.settings else "" for name in names),
        )
        for trial in by_value(story)[:most]
    ]
    return Table(headers=("trial", *(m.name for m in story.sweep.targets), "seeds", *names), rows=tuple(rows))


def by_value(story: SweepStory) -> list[TrialStory]:
    """The trials with a value, the best of the first objective first."""
    sign = story.sweep.targets[0].sign
    return sorted((t for t in story.trials if t.values), key=lambda t: (-sign * t.values[0], t.number))


def sweep_json(story: SweepStory) -> dict[str, Any]:
    """The sweep as one JSON document."""
    return {
        "sweep": story.sweep.name,
        "kind": "sweep",
        "phase": story.phase,
        "ending": story.ending,
        "definition": story.sweep.definition(),
        "best": story.best,
        "front": list(story.front),
        "runs": dict(story.runs),
        "hours": story.hours,
        "trials": [
            {
                "number": t.number,
                "state": t.state,
                "reason": t.reason,
                "origin": t.origin,
                "settings": dict(t.settings),
                "values": list(t.values),
                "seeds": t.seeds,
                "attempts": t.attempts,
                "seconds": t.seconds,
            }
            for t in story.trials
        ],
        "left_out": dict(story.left_out),
    }


def write_sweep(story: SweepStory, folder: Path) -> list[Path]:
    """Writes the report's files into the folder; their paths."""
    files = {
        "journal.md": sweep_markdown(story),
        "journal.json": json.dumps(sweep_json(story), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for name, text in files.items():
        write_whole(folder / name, text.encode())
    return [folder / name for name in files]


def _cut(story: SweepStory) -> str:
    return f" ({MOST_ROWS} of {len(by_value(story))})" if len(by_value(story)) > MOST_ROWS else ""


def _failures(story: SweepStory) -> list[str]:
    failed = [t for t in story.trials if t.state in ("FAILED", "INFEASIBLE")]
    if not failed:
        return []
    told = [f"trial {t.number}: {t.state}, {t.reason}" for t in failed[:MOST_ROWS]]
    return [heading(2, "What failed"), paragraph(sentence(counts_sentence(story))), bullets(told)]


def _left_out(story: SweepStory) -> list[str]:
    told = [f"{n} trials do not count: {why}." for why, n in story.left_out.items()]
    return [heading(2, "What does not count"), bullets(told)] if told else []
