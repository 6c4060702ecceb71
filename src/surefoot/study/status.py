"""Where the studies of a record stand, read without walking them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.run import Status
from surefoot.storage import Record


def status_of(record: Record, name: str | None = None) -> list[dict[str, Any]]:
    """One entry a study, the latest first: phase, primary metric, baseline, champion, target, gap, runs, hours."""
    counts = record.status_counts()
    return [
        _entry(study.name, _state(record, study.id), counts[study.id].statuses, counts[study.id].wall_seconds)
        for study in record.studies()
        if name in (None, study.name)
    ]


def status_text(studies: Sequence[Mapping[str, Any]]) -> str:
    """The entries as a table for a terminal."""
    if not studies:
        return "no study is on record here yet; `surefoot run PLAN` begins one\n"
    rows = [("study", "phase", "metric", "baseline", "champion", "target", "gap", "claimed", "runs", "hours")]
    for s in studies:
        runs = s["runs"]
        others = ", ".join(f"{n} {status}" for status, n in runs.items() if n and status != "complete")
        rows.append(
            (
                s["study"], s["phase"], f"{s['primary']}{' (' + s['unit'] + ')' if s['unit'] else ''}",
                _shown(s["baseline"]), _shown(s["champion"]), _shown(s["target"]), _shown(s["gap"]),
                "yes" if s["is_claimed"] else "no",
                f"{runs['complete']} complete" + (f", {others}" if others else ""), f"{s['hours']:.2f}",
            )
        )  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows)


def _state(record: Record, study_id: int) -> Mapping[str, Any]:
    states = record.events(study_id, "state")
    return states[-1].payload if states else {}


def _entry(name: str, state: Mapping[str, Any], statuses: Mapping[Status, int], seconds: float) -> dict[str, Any]:
    runs = {str(status).lower(): statuses.get(status, 0) for status in Status if status is not Status.RUNNING}
    return {
        "study": name,
        "phase": state.get("phase", "plan"),
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
