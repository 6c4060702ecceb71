"""A sweep's numbers as CSV for other programs: every trial, and every value on a fresh seed."""

from __future__ import annotations

from surefoot.comparison import NoValue
from surefoot.reports.spreadsheets import sheet
from surefoot.reports.sweep_sentences import number_name
from surefoot.reports.sweep_story import SweepStory


def sweep_sheets(story: SweepStory) -> dict[str, str]:
    """Every CSV by its file name."""
    found = {"trials.csv": trials_sheet(story)}
    return {**found, "fresh.csv": fresh_sheet(story)} if story.fresh else found


def trials_sheet(story: SweepStory) -> str:
    """A row for every trial: what became of it, its settings, its values and those of each seed.

    A setting's column is called as the setting; where that is one of our own columns, "setting NAME".
    """
    names, targets = story.sweep.space.names(), story.sweep.targets
    many = max((len(t.per_seed) for t in story.trials), default=0)
    first = ("number", "state", "reason", "origin", "constraint_broken", "seeds", "attempts", "retried", "seconds")
    own = {*first, "last_value", *(m.name for m in targets)}
    headers = (
        *first,
        *(m.name for m in targets),
        *(f"{targets[0].name} seed {i + 1}" for i in range(many)),
        "last_value",
        *(f"setting {name}" if name in own else name for name in names),
    )
    rows = []
    for t in story.trials:
        said = (t.number, t.state, t.reason, t.origin, t.barred_by, t.seeds, t.attempts, t.retried, t.seconds)
        values = t.values or ("",) * len(targets)
        seeds = (*t.per_seed, *[""] * (many - len(t.per_seed)))
        settings = (t.settings.get(name, "") for name in names)
        rows.append((*said, *values, *seeds, "" if t.last_value is None else t.last_value, *settings))
    return sheet(headers, rows)


def fresh_sheet(story: SweepStory) -> str:
    """A row for every fresh seed of every config: its value, or why there is none, and whether it chose."""
    rows = []
    for f in story.fresh:
        parted = len(f.values) - f.claiming
        for i, (seed, value) in enumerate(zip(f.seeds, f.values, strict=True)):
            missing = value.value if isinstance(value, NoValue) else ""
            rows.append((number_name(f.number), seed, "" if missing else value, missing, i < parted))
    return sheet(("config", "seed", story.objective.name, "missing", "had_part_in_choosing"), rows)
