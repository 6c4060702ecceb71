"""A search inside a study: single seeds explore, and the best few become the arms of a race on fresh ones."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from surefoot.execution import Engine
from surefoot.plan import Experiment, Plan, SearchPlan, cell_name
from surefoot.run import Metric, config_hash
from surefoot.sweep import Sweep, SweepBudget
from surefoot.sweeping.exploration import Exploration
from surefoot.sweeping.ground import Ground, TrialListener
from surefoot.sweeping.registration import Past, Prints, past_of, trainings_of
from surefoot.sweeping.trials import Trial, TrialState, ranked


def search_key(experiment: str) -> str:
    """The name under which an experiment's trials are recorded; no experiment's id has a slash."""
    return f"{experiment}/search"


def standing(metric: Metric, prints: Prints) -> dict[str, Any]:
    """What a finished search stands on besides its champion and its space: on anything else it is asked anew."""
    return {"metric": [metric.name, metric.goal], "data": prints.data, "code": prints.code}


class StudySearch:
    """Guards one experiment's search on the record; run again, it goes on where it was."""

    def __init__(self, plan: Plan, experiment: Experiment, champion: Mapping[str, Any], *, ground: Ground) -> None:
        assert experiment.search is not None
        self.search: SearchPlan = experiment.search
        self.champion, self.ground = champion, ground
        self.metric = plan.metric(plan.primary)
        self.sweep = Sweep(
            name=ground.key,
            workload=plan.workload,
            # The study's target would end the search at its first lucky trial, and not tune all settings alike.
            metrics=tuple(replace(metric, target=None) for metric in plan.metrics),
            objectives=(plan.primary,),
            space=self.search.space,
            base=champion,
            method=self.search.method,
            stopping=self.search.stopping,
            first=self.search.first,
            budget=SweepBudget(trials=self.search.trials, run_minutes=plan.budget.run_minutes),
            search_seed=self.search.search_seed,
        )

    @property
    def trials_made(self) -> int:
        """How many trials on record are of this search: on today's champion, in today's space, with today's code."""
        return len(self._past().trials)

    def run(self, engine: Engine, listener: TrialListener, *, most_runs: int | None) -> dict[str, Any] | None:
        """What the search found, as JSON, once it is done; None where it was interrupted.

        `most_runs` is what it may still train.
        """
        past = self._past()
        spent = len(trainings_of(self.ground.record, self.ground.study_id, itertools.chain(*past.runs.values())))
        exploration = Exploration(
            self.sweep, self.ground, past, most_runs=None if most_runs is None else spent + most_runs
        )
        exploration.run(engine, listener)
        return self._found(exploration) if exploration.is_done else None

    def _past(self) -> Past:
        """What is on record of it; what failed in a search that was edited since is no trial of this one."""
        ground = self.ground
        past = past_of(ground.record, ground.study_id, ground.key, self.sweep, self.champion, ground.prints)
        asked_by = {row.number: row.space_hash for row in ground.record.trials(ground.study_id, ground.key)}
        counted = {
            number: trial
            for number, trial in past.trials.items()
            if trial.state is not TrialState.FAILED or asked_by[number] == self.sweep.hash
        }
        return replace(past, trials=counted, runs={number: past.runs[number] for number in counted})

    def _found(self, exploration: Exploration) -> dict[str, Any]:
        states = Counter(str(trial.state).lower() for trial in exploration.trials.values())
        return {
            **standing(self.metric, self.ground.prints),
            "champion": config_hash(self.champion),
            "search": self.search.hash,
            "method": self.search.method.name,
            "trials": dict(states),
            "ending": self._ending(exploration),
            "picks": [
                {"arm": arm, "trial": trial.number, "changes": self._changes(trial), "explored": self._value(trial)}
                for arm, trial in self._picks(exploration)
            ],
        }

    def _ending(self, exploration: Exploration) -> str:
        """Why it ended; what it was given to train is told as the study's budget."""
        made, asked = len(exploration.trials), self.search.trials
        if exploration.is_out_of_runs and made < asked:
            return f"{made} of {asked} trials were made; the study's budget held no more"
        if exploration.is_out_of_runs or exploration.ending.startswith(f"{asked} trial"):
            return f"all {asked} trials were made"
        return exploration.ending

    def _picks(self, exploration: Exploration) -> list[tuple[str, Trial]]:
        """The best trial of every scientific setting, or the best few; none twice, and never the champion itself."""
        own = config_hash(self.champion)
        best: dict[str, Trial] = {}
        for trial in ranked(exploration.trials.values(), self.sweep):
            if config_hash(trial.config) != own:
                best.setdefault(config_hash(trial.config), trial)
        levels = self.search.space.scientific_levels()
        if levels == ({},):
            return list(zip(self.search.arm_names, best.values(), strict=False))
        found = []
        for level in levels:
            at_level = (t for t in best.values() if all(t.settings.get(k) == v for k, v in level.items()))
            best_there = next(at_level, None)
            if best_there is not None:
                found.append((cell_name(list(level), tuple(level.values())), best_there))
        return found

    def _changes(self, trial: Trial) -> dict[str, Any]:
        return {name: value for name, value in trial.config.items() if self.champion.get(name) != value}

    def _value(self, trial: Trial) -> float:
        values = trial.values(self.sweep.targets)
        assert values is not None
        return values[0]
