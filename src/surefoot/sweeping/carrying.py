"""The trials of an earlier sweep that count in the one that goes on from it: carried over, never trained again."""

from __future__ import annotations

from surefoot.errors import RecordError, nearest
from surefoot.plan import exploring_seeds
from surefoot.storage import Record
from surefoot.sweep import Sweep
from surefoot.sweeping.registration import Past, Prints, past_of
from surefoot.sweeping.trials import Trial, TrialState

CARRIED = "carried"  # the origin of a trial that an earlier sweep made
WHOLE = (TrialState.PRUNED, TrialState.INFEASIBLE)


def carry_over(record: Record, study_id: int, sweep: Sweep, prints: Prints | None) -> tuple[str, ...]:
    """Puts the earlier sweep's trials that fit on record as this sweep's first ones, once; what was done, in sentences.

    A trial fits where its config lies in this space, differs from this base in searched settings only, was made with
    today's data, code and program, and has a run on each of this sweep's exploring seeds.
    Raises RecordError where no such sweep is on this record.
    """
    if sweep.continues is None or record.trials(study_id, sweep.name):
        return ()
    earlier = _study_of(record, sweep.continues.sweep)
    past = past_of(record, earlier, sweep.continues.sweep, sweep, sweep.base, prints)
    seeds = set(exploring_seeds(sweep.seeds))
    fitting = [trial for _, trial in sorted(past.trials.items()) if _is_answered(trial, seeds)]
    with record.together():
        for number, trial in enumerate(fitting):
            record.add_trial(
                study_id,
                sweep=sweep.name,
                number=number,
                settings=trial.settings,
                config=trial.config,
                origin=CARRIED,
                space_hash=sweep.hash,
            )
            for run in past.runs[trial.number]:
                record.use_run(study_id, run.id, experiment=sweep.name, arm=f"trial {number}")
    return (_told(sweep.continues.sweep, len(fitting), past),)


def _study_of(record: Record, name: str) -> int:
    sweeps = [study for study in record.studies() if study.kind == "sweep"]
    for study in sweeps:
        if study.name == name:
            return study.id
    known = [study.name for study in sweeps]
    listed, hint = ", ".join(known) or "none", nearest(name, known)
    raise RecordError(
        f'the sweep goes on from "{name}", which is not on this record (there is {listed}); '
        f"run it with the home that has it, or take `continues` out{'.' if hint else ''}{hint}"
    )


def _is_answered(trial: Trial, seeds: set[int]) -> bool:
    if (
        trial.state is TrialState.PRUNED and trial.finals
    ):  # between two of its seeds, which only its own sweep can judge
        return False
    return trial.state in WHOLE or (trial.state is TrialState.COMPLETE and seeds <= trial.finals.keys())


def _told(name: str, carried: int, past: Past) -> str:
    left = sum(past.left_out.values()) + len(past.trials) - carried
    why = "; ".join(past.left_out) or "without a run on each seed"
    rest = f"; {left} do not fit ({why})" if left else ""
    return f"{carried} trial{'s' * (carried != 1)} of {name} carried over, untrained{rest}"
