"""Which recorded run a person means: its number, the beginning of its key, or STUDY:ARM:SEED."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.errors import RecordError, nearest, quoted
from surefoot.program import Program
from surefoot.run import Measurement, Run, Status, config_hash
from surefoot.storage import Record, StudyRow, UseRow
from surefoot.study.walk import BASELINE, CONFIRMATION
from surefoot.words import count, listing, setting

CHAMPION, BEST, BASE = "champion", "best", "base"
MOST_LISTED = 8
KEY = re.compile(r"[0-9a-f]{6,64}")
WHOLE = (Status.COMPLETE, Status.INFEASIBLE)
BROKEN_OFF = (Status.PRUNED, Status.INTERRUPTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRun:
    """A run as the record has it, with all its measurements, and what trained it.

    `address` leads to it again. `workload` is what `find_workload` takes, `beside` the folder of the plan that asked
    for it. `went_on_from` is the step at which it went on from an earlier attempt's checkpoint: the measurements up
    to there are that attempt's. None where it began at the start.
    """

    run: Run
    study: str
    arm: str
    workload: str | Program
    beside: Path | None = None
    went_on_from: int | None = None

    @property
    def address(self) -> str:
        """ "digits:baseline:1"."""
        return f"{self.study}:{self.arm}:{self.run.seed}"


def find_run(record: Record, address: str) -> RecordedRun:
    """The run that the address means, on a record that was opened to be read.

    An address is STUDY (its champion, or a sweep's best trial), STUDY:ARM (its first seed) or STUDY:ARM:SEED; or a
    run's number, or the first six digits of its key or more. Of several attempts at one config and seed the one with
    a result is meant, else the last. Raises RecordError, with the nearest known name, where it means no run or several.
    """
    studies = record.studies()
    if not studies:
        raise RecordError("no study is on record here yet; `surefoot run PLAN` begins one")
    named = [study for study in studies if address == study.name or address.startswith(f"{study.name}:")]
    if named:
        study = max(named, key=lambda study: len(study.name))
        run, arm = _run_of_study(record, study, address[len(study.name) + 1 :].strip())
        return _with_workload(record, study, arm, run)
    run = _run_of_number_or_key(record, studies, address)
    study, arm = _asked_for_by(record, studies, run)
    return _with_workload(record, study, arm, run)


# --- by study, arm and seed ------------------------------------------------------------------------------------------


def _run_of_study(record: Record, study: StudyRow, rest: str) -> tuple[Run, str]:
    """The run of that arm and seed, and the arm's name; `rest` is what stands behind the study's name."""
    runs = {run.id: run for run in record.runs(study.id)}
    arms = _arms(study, record.uses(study.id), runs)
    if not arms:
        raise RecordError(f'"{study.name}" has no run on record yet')
    by_default = BEST if study.kind == "sweep" else CHAMPION
    arm, seed_text = (rest or by_default), ""
    if not _is_arm(arm, arms, by_default):
        arm, _, seed_text = (part.strip() for part in rest.rpartition(":"))
        arm = arm or rest
    arm, some = _runs_of_arm(record, study, arms, arm)
    seeds = sorted({run.seed for run in some})
    if seed_text and not (seed_text.isdecimal() and int(seed_text) in seeds):
        raise RecordError(
            f"{study.name}:{arm} must have been trained on that seed (there is {_listed(map(str, seeds))}); "
            f"got {quoted(seed_text)}"
        )
    seed = int(seed_text) if seed_text else seeds[0]
    found = _of_today(record, study, [run for run in some if run.seed == seed])
    return _only(found, f"{study.name}:{arm}:{seed}"), arm


def _arms(study: StudyRow, uses: Iterable[UseRow], runs: Mapping[int, Run]) -> dict[str, list[Run]]:
    """The runs by the arm they were trained for, or used for, in order."""
    arms: dict[str, list[Run]] = {}
    for use in uses:
        for name in _names(study, use):
            arms.setdefault(name, []).append(runs[use.run_id])
    return {name: sorted(some, key=lambda run: run.id) for name, some in arms.items()}


def _names(study: StudyRow, use: UseRow) -> tuple[str, ...]:
    """What a person may call the arm of such a use; the first is its own name."""
    if study.kind == "sweep":
        return (BASE if use.arm == "trial -1" else use.arm,)
    if use.experiment == use.arm:
        return (use.arm,)
    own = f"{use.experiment}/{use.arm}"
    return (own, BASELINE) if (use.experiment, use.arm) == (CONFIRMATION, BASELINE) else (own,)


def _is_arm(name: str, arms: Mapping[str, Sequence[Run]], by_default: str) -> bool:
    return name in arms or name == by_default or f"trial {name}" in arms


def _runs_of_arm(record: Record, study: StudyRow, arms: Mapping[str, list[Run]], arm: str) -> tuple[str, list[Run]]:
    """The arm's own name, and its runs."""
    if study.kind == "sweep" and arm == BEST:
        arm = _best_trial(record, study)
    for name in (arm, f"trial {arm}"):
        if name in arms:
            return name, arms[name]
    if study.kind != "sweep" and arm == CHAMPION:
        champion = _champion(record, study)
        every = {run.id: run for some in arms.values() for run in some if config_hash(run.config) == champion}
        if every:
            return CHAMPION, [every[i] for i in sorted(every)]
    known = [*([BEST] if study.kind == "sweep" else [CHAMPION]), *arms]
    hint = nearest(arm, known)
    raise RecordError(
        f"no arm {quoted(arm)} of {study.name} has runs (there is {_listed(known)}){'.' if hint else ''}{hint}"
    )


def _champion(record: Record, study: StudyRow) -> str:
    """The hash of the champion's config."""
    from surefoot.files.plan_file import parse_plan
    from surefoot.study.telling import read_story

    revisions = record.revisions(study.id)
    if not revisions:
        raise RecordError(f'study "{study.name}" has no plan on record yet; run it again')
    plan = parse_plan(revisions[-1].plan_text, revisions[-1].plan_path, is_on_record=True)
    return config_hash(read_story(record, study.id, plan).champion_config)


def _best_trial(record: Record, study: StudyRow) -> str:
    """ "trial 7": the one that was chosen on fresh seeds, else the best of the search."""
    from surefoot.sweeping.telling import read_sweep_story

    story = read_sweep_story(record, study)
    number = story.chosen.number if story.chosen is not None else story.best
    if number is None:
        raise RecordError(f'no trial of "{study.name}" is complete, so it has no best one; name one, as trial 0')
    return BASE if number < 0 else f"trial {number}"


def _of_today(record: Record, study: StudyRow, runs: Sequence[Run]) -> list[Run]:
    """Those of the runs that were made with the data and the code that the study stands on now, if there are any."""
    states = record.events(study.id, "state")
    if not states:
        return list(runs)
    prints = (states[-1].payload.get("data"), states[-1].payload.get("code"))
    current = [run for run in runs if (run.provenance.data_fingerprint, run.provenance.code_fingerprint) == prints]
    return current or list(runs)


# --- by number or key ------------------------------------------------------------------------------------------------


def _run_of_number_or_key(record: Record, studies: Sequence[StudyRow], address: str) -> Run:
    runs = {run.id: run for study in studies for run in record.runs(study.id)}
    text = address.strip().lower()
    if text.isdecimal() and int(text) in runs:
        return runs[int(text)]
    if KEY.fullmatch(text):
        found = [run for run in runs.values() if run.key.startswith(text)]
        if found:
            return _only(found, address)
    names = [study.name for study in studies]
    hint = nearest(address.partition(":")[0], names)
    numbers = f"1 … {max(runs)}" if runs else "there is none yet"
    raise RecordError(
        f"no run {quoted(address)} is on record: it must be STUDY:ARM:SEED (there is {_listed(names)}), a run's number "
        f"({numbers}), or the first 6 digits of a run's key or more{'.' if hint else ''}{hint}"
    )


def _only(runs: Sequence[Run], address: str) -> Run:
    """The attempt that speaks for the runs, which must be attempts at one config and seed."""
    by_key: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.id):
        by_key.setdefault(run.key, []).append(run)
    if len(by_key) > 1:
        told = [_candidate(_attempt(some), runs) for some in by_key.values()]
        raise RecordError(
            f"{quoted(address)} means {count(len(by_key), 'run')}: {_listed(told, '; ')}. Name one by its number"
        )
    return _attempt(next(iter(by_key.values())))


def _attempt(attempts: Sequence[Run]) -> Run:
    whole = [run for run in attempts if run.status in WHOLE]
    ended = [run for run in attempts if run.status is not Status.RUNNING]
    return (whole or ended or attempts)[-1]


def _candidate(run: Run, runs: Sequence[Run]) -> str:
    """ "run 12 (key 3fa09c, lr 0.1)": its number, and what tells it from the others."""
    differing = {
        name: value for name, value in run.config.items() if any(other.config.get(name) != value for other in runs)
    }
    what = ", ".join(f"{name} {setting(value)}" for name, value in differing.items())
    seed = f"seed {run.seed}" if any(other.seed != run.seed for other in runs) else ""
    code = f"code {run.provenance.code_fingerprint[:8]}" if not (what or seed) else ""
    return f"run {run.id} ({', '.join(filter(None, (f'key {run.key[:8]}', what, seed, code)))})"


def _asked_for_by(record: Record, studies: Sequence[StudyRow], run: Run) -> tuple[StudyRow, str]:
    """The study that trained the run, and the arm for which it did."""
    found = [
        (not use.is_own, use.at, study.id, study, _names(study, use)[0])
        for study in studies
        for use in record.uses(study.id)
        if use.run_id == run.id
    ]
    *_, study, arm = min(found, key=lambda use: use[:3])
    return study, arm


# --- what trained it, and what it measured ---------------------------------------------------------------------------


def _with_workload(record: Record, study: StudyRow, arm: str, run: Run) -> RecordedRun:
    measurements, went_on_from = _measured(record, study, run)
    revisions = record.revisions(study.id)
    return RecordedRun(
        run=replace(run, measurements=measurements),
        study=study.name,
        arm=arm,
        workload=_workload_of(record, study, run),
        beside=Path(revisions[-1].plan_path).parent if revisions and revisions[-1].plan_path else None,
        went_on_from=went_on_from,
    )


def _measured(record: Record, study: StudyRow, run: Run) -> tuple[tuple[Measurement, ...], int | None]:
    """The run's measurements, and those of the attempts from whose checkpoints it went on, up to that step."""
    attempts = [r for r in record.runs(study.id) if r.key == run.key and r.id < run.id and r.status in BROKEN_OFF]
    curves = record.curves([run.id, *(attempt.id for attempt in attempts)])
    joined = curves.get(run.id, [])
    went_on_from: int | None = None
    for attempt in reversed(attempts):
        before = [m for m in curves.get(attempt.id, []) if joined and m.step < joined[0].step]
        if before:
            went_on_from = went_on_from or before[-1].step
            joined = [*before, *joined]
    return tuple(joined), went_on_from


def _workload_of(record: Record, study: StudyRow, run: Run) -> str | Program:
    """What trained the run, as `find_workload` takes it."""
    if not run.workload.startswith("program "):
        return run.workload
    for revision in reversed(record.revisions(study.id)):
        program = _program_of(study, revision.plan_text, revision.plan_path)
        if isinstance(program, Program) and program.identity == run.workload:
            return program
    raise RecordError(
        f'what trained run {run.id} is in no file that "{study.name}" has on record; it cannot be trained again'
    )


def _program_of(study: StudyRow, text: str, path: str) -> str | Program:
    """What the file trains; raises PlanError where its script is not there any more."""
    if study.kind == "sweep":
        from surefoot.files.sweep_file import parse_sweep

        return parse_sweep(text, path).workload
    from surefoot.files.plan_file import parse_plan

    return parse_plan(text, path).workload


def _listed(items: Iterable[str], between: str = ", ") -> str:
    """The items, the first few of them where they are many."""
    known = list(dict.fromkeys(items))
    if len(known) > MOST_LISTED:
        known = [*known[:MOST_LISTED], f"{len(known) - MOST_LISTED} more"]
    return listing(known) if between == ", " else between.join(known)
