"""Plans in a few lines, a listener that remembers, and a home to run them in."""

import json
import re

from surefoot.execution import Place, WorkerPool
from surefoot.files.plan_file import parse_plan
from surefoot.reports.journal import journal_markdown
from surefoot.storage import Record
from surefoot.study.loop import Study
from surefoot.study.telling import read_story


def plan_text(*experiments, study="toy", workload="study_toy:TOY", seeds=3, confirm=3, metrics=None, **more):
    rule = {"confirm_seeds": confirm, **more.pop("rule", {})}
    metrics = metrics or {"score": {"goal": "maximize", "target": 60.0}, "loss": {"goal": "minimize"}}
    plan = {"study": study, "workload": workload, "metrics": metrics, "seeds": seeds, "rule": rule, **more}
    # JSON is YAML 1.2.
    return json.dumps({**plan, "experiments": list(experiments)}, indent=1)


def plan_of(*experiments, **more):
    return parse_plan(plan_text(*experiments, **more))


def experiment(name, expect=None, **arms):
    """One experiment; an arm is what it changes. The first arm is expected to be better unless said otherwise."""
    expect = expect or [{"arm": next(iter(arms)), "metric": "score", "is": "better"}]
    return {"id": name, "hypothesis": f"{name} helps.", "arms": arms, "expect": expect}


def search(name, expect=None, **search):
    """An experiment whose arms a search has yet to find; the best is expected to be better unless said otherwise."""
    expect = expect or [{"arm": "best", "metric": "score", "is": "better"}]
    search = {"method": "random", "trials": 6, **search}
    return {"id": name, "hypothesis": f"{name} helps.", "search": search, "expect": expect}


def repeat(name, of, **arms):
    return {**experiment(name, **arms), "repeats": of}


class Ear:
    """Hears a study go on, and remembers."""

    def __init__(self):
        self.trained, self.notices, self.decisions, self.claims, self.most_runs = [], [], [], 0, []
        self.trials = []

    def begun(self, story, most_runs):
        self.most_runs.append(most_runs)

    def run_started(self, task):
        pass

    def run_measured(self, task, measurement):
        pass

    def run_ended(self, outcome, most_runs):
        self.trained.append((outcome.task.label, outcome.task.seed, str(outcome.status)))
        self.most_runs.append(most_runs)

    def trial_started(self, trial, task):
        pass

    def trial_ended(self, trial, exploration):
        self.trials.append((trial.number, str(trial.state)))

    def decided(self, experiment, story):
        self.decisions.append(experiment.id)

    def claimed(self, story):
        self.claims += 1

    def noticed(self, text):
        self.notices.append(text)


class Cases:
    """A home, its record, and studies in it."""

    def __init__(self, folder, pool):
        self.home, self.data, self.pool = folder / "home", folder / "data", pool
        self.data.mkdir(exist_ok=True)
        self.record = Record.open(self.home)
        self.ear = Ear()

    def close(self):
        self.record.close()

    def study(self, plan):
        return Study(plan, self.record, Place(home=self.home, data_root=self.data))

    def run(self, *experiments, ear=None, pool=None, **more):
        """The story of a plan run to its end; `self.ear` heard it."""
        self.ear = ear or Ear()
        return self.study(plan_of(*experiments, **more)).run(pool or self.pool, self.ear)

    def run_afresh(self, *experiments, **more):
        """As a new command does it: its workers know nothing of what was before."""
        with WorkerPool(1, threads=1) as pool:
            return self.run(*experiments, pool=pool, **more)

    def read(self, *experiments, **more):
        plan = plan_of(*experiments, **more)
        study = next(s for s in self.record.studies() if s.name == plan.study)
        return read_story(self.record, study.id, plan)

    def interrupted(self, after, *experiments, **more):
        """The study stopped politely after so many runs."""

        class Stopping(Ear):
            def run_ended(self, outcome, most_runs):
                super().run_ended(outcome, most_runs)
                if len(self.trained) == after:
                    pool.interrupt()

        with WorkerPool(1, threads=1) as pool:
            return self.run(*experiments, ear=Stopping(), pool=pool, **more)


def verdicts(story):
    """Experiment / subject on metric -> the verdict, with its cause."""
    found = {}
    for e in story.experiments:
        contrasts = [c.verdict for c in e.contrasts if c.verdict.prediction.is_registered]
        for v in (*e.verdicts, *contrasts):
            on = "" if v.prediction.metric == story.primary.name else f"/{v.prediction.metric}"
            found[f"{e.id}/{v.prediction.subject}{on}"] = f"{v.answer} {v.cause}".strip()
    return found


def decisions(story):
    return {e.id: f"{e.choice.decision} {e.choice.arm}".strip() if e.choice else e.state for e in story.experiments}


def journal(story):
    """The journal without times, durations and how often it was interrupted."""
    text = " ".join(journal_markdown(story).split())
    text = re.sub(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?|\d\d:\d\d", "<time>", text)
    text = re.sub(r"[\d.,]+ (second|minute|hour)s?", "<duration>", text)
    return re.sub(r"Runs: .*? of training", "<runs>", text)


def check_invariants(record):
    """I2: no config and seed has two results. I3: nothing is running. I1: a decision rests on stored values."""
    for study in record.studies():
        runs = record.runs(study.id, with_measurements=True)
        trained = [run.key for run in runs if run.status in ("COMPLETE", "INFEASIBLE")]
        assert len(trained) == len(set(trained))
        assert not [run for run in runs if run.status == "RUNNING"]
        by_id = {run.id: run for run in runs}
        for event in record.events(study.id, "decision"):
            assert all(by_id[i].measurements or by_id[i].status == "FAILED" for i in event.payload["runs"])
            assert event.payload["runs"] or event.payload["state"] == "skipped"
