"""Where the studies of a record stand, read without walking them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.run import Status
from surefoot.storage import Record, StudyRow

MOST_TRIALS_READ = 2_000


def status_of(record: Record, name: str | None = None) -> list[dict[str, Any]]:
    """One entry a study, the latest first: phase, primary metric, baseline, champion, target, gap, runs, hours.

    A sweep has an entry too, with its trials by state, its best and what failed. Without a name, the trials of
    the latest sweeps only are read; of an older one it is told how many there are.
    """
    counts, many = record.status_counts(), record.trial_counts()
    found, read = [], 0
    for study in record.studies():
        if name not in (None, study.name):
            continue
        entry = _entry(study, _state(record, study.id), counts[study.id].statuses, counts[study.id].wall_seconds)
        if study.kind == "sweep":
            has_room = name is not None or read < MOST_TRIALS_READ
            read += many.get(study.id, 0)
            entry |= _sweep(record, study, many.get(study.id, 0), has_room=has_room)
        found.append(entry)
    return found


def status_text(studies: Sequence[Mapping[str, Any]], place: str = "") -> str:
    """The entries as a table for a terminal; of a single sweep all that is known, too."""
    if not studies:
        return "no study is on record here yet; `surefoot run PLAN` begins one\n"
    has_sweep = any(s["kind"] == "sweep" for s in studies)
    best = "champion or best" if has_sweep else "champion"
    kind = ("kind",) if has_sweep else ()
    rows = [("study", *kind, "phase", "metric", "baseline", best, "target", "gap", "claimed", "runs", "hours")]
    for s in studies:
        runs = s["runs"]
        others = ", ".join(f"{n} {status}" for status, n in runs.items() if n and status != "complete")
        rows.append(
            (
                s["study"], *((s["kind"],) if has_sweep else ()), s["phase"],
                f"{s['primary']}{' (' + s['unit'] + ')' if s['unit'] else ''}",
                _shown(s["baseline"]), _shown(s["champion"]), _shown(s["target"]), _shown(s["gap"]),
                "yes" if s["is_claimed"] else "no",
                f"{runs['complete']} complete" + (f", {others}" if others else ""), f"{s['hours']:.2f}",
            )
        )  # fmt: skip
    text = _columns(rows)
    if len(studies) == 1 and has_sweep:
        from surefoot.study.sweep_status import sweep_lines

        text += "\n" + _columns(sweep_lines(studies[0], place))
    return text


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows)


def _sweep(record: Record, study: StudyRow, many: int, *, has_room: bool) -> dict[str, Any]:
    if has_room and record.revisions(study.id):
        from surefoot.study.sweep_status import sweep_entry

        return sweep_entry(record, study)
    return {"trials": {"on_record": many}, "best": None, "failures": [], "seconds_left": None}


def _state(record: Record, study_id: int) -> Mapping[str, Any]:
    states = record.events(study_id, "state")
    return states[-1].payload if states else {}


def _entry(study: StudyRow, state: Mapping[str, Any], statuses: Mapping[Status, int], seconds: float) -> dict[str, Any]:
    runs = {str(status).lower(): statuses.get(status, 0) for status in Status if status is not Status.RUNNING}
    return {
        "study": study.name,
        "kind": "sweep" if study.kind == "sweep" else "study",
        "phase": state.get("phase", "exploring" if study.kind == "sweep" else "plan"),
        "primary": state.get("primary", ""),
        "unit": state.get("unit", ""),
        "baseline": state.get("baseline"),
        "champion": state.get("champion"),
        "target": state.get("target"),
        "gap": state.get("gap"),
        "is_claimed": state.get("is_claimed", False),
        "runs": {**runs, "running": statuses.get(Status.RUNNING, 0), "planned": state.get("planned", 0)},
        "hours": seconds / 3600,
    }


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
