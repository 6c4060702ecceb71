"""The end of a study: the sealed split opened once, the last training measured and exported, the bundle written."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.execution import Engine, Outcome, Place, Task
from surefoot.phases.final import ClassScore, Exported, Final
from surefoot.plan import Plan
from surefoot.reports.story import Story
from surefoot.reports.write import write_whole
from surefoot.run import Run, Status, config_hash
from surefoot.stats.classification import class_rates
from surefoot.storage import Record
from surefoot.study.evidence import damaged, sha256_of
from surefoot.study.phase_log import BUNDLE, PhaseLog
from surefoot.study.walk import Walk
from surefoot.workload import Workload

CHECKPOINT = "last"
FOLDER = "bundle"
SUMS = "SHA256SUMS"
PREDICTIONS, EXPORTED = "test_predictions.npz", "exported"
MakeTask = Callable[[Run, str], Task]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What finalise works with: the study's own things, and how an evaluation of one of its runs is asked for."""

    plan: Plan
    record: Record
    study_id: int
    standing: str
    workload: Workload
    place: Place
    task: MakeTask

    @property
    def folder(self) -> Path:
        """Where the bundle goes."""
        return self.place.home / self.plan.study / FOLDER


def finish(
    ending: Ending,
    found: Walk,
    log: PhaseLog,
    pool: Engine,
    tell: Callable[[str], None],
    told: Callable[[Final], Story],
) -> None:
    """Measures, exports and bundles the champion of the last training; what was done before is not done again.

    The test split must be open by now. `told` gives the study's story with that end.
    """
    assert found.final is not None
    runs = [run for run in found.final.runs if run.status is Status.COMPLETE]
    if _is_done(ending, log, found) or not runs:
        return
    gone = [f"{what} of run {run.id}" for run in runs if (what := damaged(run, ending.place))]
    if gone or not all(CHECKPOINT in run.checkpoints for run in runs):
        tell(f"nothing is bundled: {gone[0] if gone else f'run {runs[0].id} left no {CHECKPOINT}.pt'}")
        return
    measured = _measured(ending, runs, pool, tell)
    if measured is None:
        return
    scratch = ending.folder.with_name(f".{FOLDER}")
    shutil.rmtree(scratch, ignore_errors=True)  # what a kill left
    scratch.mkdir(parents=True)
    bundled = _bundled(ending, runs[0], scratch, pool, tell)
    if pool.is_interrupted:
        shutil.rmtree(scratch)
        tell("interrupted before the bundle was whole; run again to go on")
        return
    final = final_from({**_payload(found, runs), **measured, **bundled}, runs)
    final = dataclasses.replace(final, opened_at=_opened_at(ending.record, ending.study_id))
    _write_bundle(told(final), scratch)
    files = {path.name: sha256_of(path) for path in sorted(scratch.iterdir()) if path.name != SUMS}
    sums = "".join(f"{digest}  {name}\n" for name, digest in files.items())
    write_whole(scratch / SUMS, sums.encode())
    shutil.rmtree(ending.folder, ignore_errors=True)
    scratch.rename(ending.folder)
    final = dataclasses.replace(final, bundle=str(ending.folder), files=files)
    ending.record.add_event(
        ending.study_id, kind=BUNDLE, experiment=None, payload={"standing": ending.standing, **_final_json(final)}
    )
    tell(f"the bundle is in {ending.folder}")


def final_of(record: Record, study_id: int, log: PhaseLog, found: Walk) -> Final | None:
    """What finalise came to so far: its bundle as it was recorded, else the runs alone; None before its training."""
    if found.final is None:
        return None
    if log.bundle and log.bundle["config"] == config_hash(found.final.config):
        final, opened = final_from(log.bundle, found.final.runs), _opened_at(record, study_id)
        return dataclasses.replace(final, config=found.champion, opened_at=opened)
    return Final(config=found.champion, runs=found.final.runs)


def _opened_at(record: Record, study_id: int) -> str:
    """When the test split was opened; empty before."""
    openings = record.events(study_id, "opening")
    return openings[0].at if openings else ""


def final_from(told: Mapping[str, Any], runs: Sequence[Run]) -> Final:
    """The end from its JSON; the runs stand on the record by themselves."""
    confusion = tuple(tuple(row) for row in told.get("confusion", ()))
    classes = tuple(told.get("classes", ()))
    return Final(
        config=told.get("settings", {}),
        runs=tuple(runs),
        checkpoint=told.get("checkpoint", CHECKPOINT),
        bundled_seed=told.get("seed"),
        validation={name: tuple(values) for name, values in told.get("validation", {}).items()},
        test={name: tuple(values) for name, values in told.get("test", {}).items()},
        classes=classes,
        confusion=confusion,
        per_class=_per_class(classes, confusion),
        exports=tuple(Exported(**export) for export in told.get("exports", ())),
        bundle=told.get("bundle", ""),
        files=told.get("files", {}),
    )


def _per_class(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> tuple[ClassScore, ...]:
    if not confusion:
        return ()
    return tuple(
        ClassScore(name=name, support=s.support, precision=s.precision, recall=s.recall, f1=s.f1)
        for name, s in zip(classes, class_rates(confusion), strict=True)
    )


def _final_json(final: Final) -> dict[str, Any]:
    return {
        "config": config_hash(final.config),
        "settings": dict(final.config),
        "runs": [run.id for run in final.runs],
        "seed": final.bundled_seed,
        "checkpoint": final.checkpoint,
        "validation": {name: list(values) for name, values in final.validation.items()},
        "test": {name: list(values) for name, values in final.test.items()},
        "classes": list(final.classes),
        "confusion": [list(row) for row in final.confusion],
        "exports": [dataclasses.asdict(export) for export in final.exports],
        "bundle": FOLDER,
        "files": dict(final.files),
    }


def _is_done(ending: Ending, log: PhaseLog, found: Walk) -> bool:
    """Whether the bundle of this champion stands whole."""
    assert found.final is not None
    if not log.bundle or log.bundle["config"] != config_hash(found.final.config):
        return False
    if log.bundle["runs"] != [run.id for run in found.final.runs if run.status is Status.COMPLETE]:
        return False
    formats = list(ending.plan.finalise.exports) if ending.plan.finalise else []
    exports = log.bundle["exports"]
    if [export["format"] for export in exports] != formats:
        return False
    may_export = ending.workload.export is not None and not _is_accepted(ending.plan)
    if may_export and any(export["error"] for export in exports):
        return False
    if ending.workload.predict is not None and not log.bundle["confusion"]:
        return False
    return not damaged_bundle(ending.folder, log.bundle["files"])


def _is_accepted(plan: Plan) -> bool:
    """Whether a person lets a failed export pass, so that it need not be tried again."""
    return any((override.gate, override.predicate) == ("finalise", "exported") for override in plan.overrides)


def damaged_bundle(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each file of a bundle on disk; none where all are there as they were recorded."""
    found: dict[str, str] = {}
    for name, recorded in files.items():
        path = folder / name
        if not path.is_file():
            found[name] = "is missing"
        elif sha256_of(path) != recorded:
            found[name] = "is not the file that was recorded"
    return found


def _payload(found: Walk, runs: Sequence[Run]) -> dict[str, Any]:
    # The first seed, whatever it came to: taking the best one would choose by the values that are reported.
    return {"settings": dict(found.champion), "seed": runs[0].seed, "checkpoint": CHECKPOINT}


def _measured(ending: Ending, runs: Sequence[Run], pool: Engine, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """Every final run's values on the validation and on the test split; None where one could not be measured."""
    if ending.workload.evaluate is None:
        return {}
    found: dict[str, dict[str, list[float]]] = {}
    for split in ("validation", "test"):
        tasks = [
            dataclasses.replace(
                ending.task(run, f"final, seed {run.seed}"),
                kind="evaluate",
                checkpoint=CHECKPOINT,
                checkpoint_hash=run.checkpoints[CHECKPOINT],
                split=split,
                is_test_open=True,
            )
            for run in runs
        ]
        outcomes = {o.task.seed: o for o in pool.run(tasks)}
        trouble = _trouble([outcomes[run.seed] for run in runs if run.seed in outcomes], len(runs), split)
        if trouble:
            tell(trouble)
            return None
        names = outcomes[runs[0].seed].values
        found[split] = {name: [outcomes[run.seed].values[name] for run in runs] for name in names}
    return found


def _trouble(outcomes: Sequence[Outcome], wanted: int, split: str) -> str:
    for outcome in outcomes:
        if outcome.status is not Status.COMPLETE:
            return f"{outcome.task.label} on the {split} split: {outcome.status} ({outcome.reason})"
    return "" if len(outcomes) == wanted else f"interrupted while the {split} split was measured; run again to go on"


def _bundled(ending: Ending, run: Run, folder: Path, pool: Engine, tell: Callable[[str], None]) -> dict[str, Any]:
    """What the bundled model predicts on the test split, and what became of its exports."""
    base = dataclasses.replace(
        ending.task(run, f"final, seed {run.seed}"),
        checkpoint=CHECKPOINT,
        checkpoint_hash=run.checkpoints[CHECKPOINT],
        split="test",
        is_test_open=True,
    )
    found: dict[str, Any] = {}
    if ending.workload.predict is not None:
        # Into the run's own folder, which comes home from wherever the work is done.
        out = base.artifacts / PREDICTIONS
        facts = _facts_of(dataclasses.replace(base, kind="predict", out=out), pool, tell)
        if "confusion" in facts:
            shutil.copy(out, folder / PREDICTIONS)
        found |= {name: facts[name] for name in ("classes", "confusion") if name in facts}
    formats = ending.plan.finalise.exports if ending.plan.finalise else ()
    if formats and ending.workload.export is None:
        error = f"workload {ending.workload.name} has no `export`; ask for none with finalise: {{export: []}}"
        found["exports"] = [dataclasses.asdict(Exported(format=name, error=error)) for name in formats]
    elif formats:
        out = base.artifacts / EXPORTED
        shutil.rmtree(out, ignore_errors=True)  # what a kill left
        facts = _facts_of(dataclasses.replace(base, kind="export", out=out, formats=formats), pool, tell)
        if "exports" in facts:
            shutil.copytree(out, folder, dirs_exist_ok=True)
            shutil.rmtree(out)
        found["exports"] = facts.get("exports") or [
            dataclasses.asdict(Exported(format=name, error=facts.get("error", "it was not exported")))
            for name in formats
        ]
    for export in found.get("exports", ()):
        if export["error"]:
            tell(f"export to {export['format']} failed: {export['error']}")
    return found


def _facts_of(task: Task, pool: Engine, tell: Callable[[str], None]) -> Mapping[str, Any]:
    outcomes = pool.run([task])
    if not outcomes or outcomes[0].status is not Status.COMPLETE:
        reason = f"{outcomes[0].status} ({outcomes[0].reason})" if outcomes else "interrupted"
        tell(f"{task.kind} of {task.label}: {reason}")
        return {"error": reason}
    return outcomes[0].facts


def _write_bundle(story: Story, folder: Path) -> None:
    from surefoot.reports.bundle import bundle_files

    for name, content in bundle_files(story).items():
        write_whole(folder / name, content)
