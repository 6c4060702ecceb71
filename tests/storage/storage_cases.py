"""Runs to put into a record."""

from surefoot.run import Measurement, Provenance, Status

PROVENANCE = Provenance(
    code_fingerprint="c0de",
    data_fingerprint="da7a",
    git_commit="abc",
    git_dirty=True,
    versions={"python": "3.11"},
    started_at="2026-07-01T10:00:00+00:00",
    wall_seconds=2.5,
)


def start(record, key="k", *, study="s", **changes):
    """The id of a new run in a study of that name."""
    run = {"key": key, "workload": "w", "config": {"lr": 0.1}, "seed": 1, "experiment": "e", "arm": "a", **changes}
    return record.start_run(study_id=record.add_study(study, "w"), provenance=PROVENANCE, **run)


def finish(record, run_id, status=Status.COMPLETE, values=(0.5,), **changes):
    """Ends the run with one measurement of `loss` per value."""
    outcome = {
        "reason": "",
        "measurements": tuple(Measurement(step=i, values={"loss": x}) for i, x in enumerate(values)),
        "facts": {"steps": 3},
        "checkpoints": {"best": "f00d"},
        "provenance": PROVENANCE,
        **changes,
    }
    return record.finish_run(run_id, status=status, **outcome)
