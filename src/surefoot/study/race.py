"""One experiment's race: which seeds it still wants, and what its runs say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from surefoot.comparison import Noise
from surefoot.confounds import FactDifference, common_facts, fact_differences
from surefoot.plan import Arm, Experiment, Plan, Prediction, Rule, same_config
from surefoot.reports.story import ArmStory, ContrastStory
from surefoot.run import Status
from surefoot.stats.factorial import Contrast, contrasts
from surefoot.verdict import Cause, Choice, End, Verdict, choose, decide, decide_contrast, identical
from surefoot.workload import Workload

Config = Mapping[str, Any]
Gather = Callable[[Arm, Config, Sequence[int]], ArmStory]


def absent(prediction: Prediction) -> Verdict:
    """The verdict on an arm that its search did not find."""
    return Verdict(
        prediction=prediction,
        cause=Cause.UNDERPOWERED,
        end=End.UNTESTABLE,
        reason=f"the search found no config to race as {prediction.arm}",
    )


class Race:
    """One experiment on the champion of its time: asks for the seeds its questions still wait for, and decides.

    `gather(arm, config, seeds)` gives the arm's runs on these seeds that have ended, and wants the
    missing ones. The race is replayed from its first look, so each arm stands here with the seeds
    that its own questions asked for, whatever other runs of its config exist by now.
    """

    def __init__(
        self,
        experiment: Experiment,
        rule: Rule,
        seeds: tuple[int, ...],
        *,
        plan: Plan,
        workload: Workload,
        champion: Config,
        noise: Mapping[str, Noise],
        gather: Gather,
    ) -> None:
        self.experiment, self.rule, self.seeds = experiment, rule, seeds
        self.plan, self.workload, self.champion, self.noise = plan, workload, champion, noise
        self._gather = gather
        self.configs = {arm.name: {**champion, **arm.changes} for arm in experiment.arms}
        self.contrasts = contrasts(experiment.factors) if experiment.factors else ()
        self._ask()

    def _ask(self) -> None:
        """Asks each arm's questions look by look, until none wants a seed more or a wanted one is missing."""
        wants = {arm.name: 0 for arm in self.experiment.arms}
        while True:
            self._look(wants)
            more = self._wanted(wants)
            if more == wants:
                return
            wants = more

    def _wanted(self, before: Mapping[str, int]) -> dict[str, int]:
        """How many seeds the open questions about each arm wait for; the cells of a factorial go together."""
        wants = dict(before)
        for verdict in (*self.steps.values(), *self.verdicts):
            name = verdict.prediction.arm
            if name in wants:
                wants[name] = max(wants[name], verdict.wanted)
        if not self.contrasts:
            return wants
        most = max([*wants.values(), *(c.verdict.wanted for c in self.contrast_stories if self._counts(c))])
        return dict.fromkeys(wants, most)

    def _look(self, wants: Mapping[str, int]) -> None:
        most = self.seeds[: max(wants.values())]
        self.champion_story = self._gather(Arm(name="champion", changes={}), self.champion, most)
        self.arms = {
            arm.name: self._gather(
                arm, self.configs[arm.name], most if self.is_champion(arm.name) else self.seeds[: wants[arm.name]]
            )
            for arm in self.experiment.arms
        }
        primary = self.plan.primary
        self.asked = {name: self.experiment.predictions_of(name, primary) for name in self.arms}
        self.steps = {
            name: self._decide(Prediction(arm=name, metric=primary, relation="better", is_registered=False))
            for name in self.arms
            if not self.is_champion(name)
        }
        registered = [p for p in self.experiment.predictions if p.arm]
        unasked = [p for name in self.arms for p in self.asked[name] if not p.is_registered and not self.contrasts]
        self.contrast_stories = tuple(self._contrast(c, p) for c in self.contrasts for p in self._questions(c))
        self.verdicts = tuple(self._decide(p) for p in (*registered, *unasked))

    def is_champion(self, name: str) -> bool:
        """Whether the arm is the champion's own config, so that there is nothing to compare."""
        return same_config(self.configs[name], self.champion)

    def _decide(self, prediction: Prediction) -> Verdict:
        name = prediction.arm
        if name not in self.arms:
            return absent(prediction)
        if self.is_champion(name):
            return identical(prediction)
        arm, metric = self.arms[name], self.plan.metric(prediction.metric)
        return decide(
            prediction,
            arm.values[metric.name],
            self.champion_story.values[metric.name],
            metric=metric,
            rule=self.rule,
            noise=self.noise[metric.name],
            is_screened=self._is_screened(name),
            confounds=self._confounds(name),
        )

    def _is_screened(self, name: str) -> bool:
        """Only an arm of which nothing but a gain in the primary metric is expected may be dropped on one seed."""
        primary = self.plan.primary
        wishes = self.asked[name]
        is_plain = all(p.relation == "better" and p.metric == primary for p in wishes)
        return self.rule.is_screened and is_plain and not self.contrasts

    def _differences(self, name: str) -> tuple[FactDifference, ...]:
        complete = [r for r in self.arms[name].runs if r.status is Status.COMPLETE]
        champion = [r for r in self.champion_story.runs if r.status is Status.COMPLETE]
        return fact_differences(
            complete,
            champion,
            changed=set(self._changed(name)),
            drivers=self.workload.drivers,
            allow=self.experiment.allow,
        )

    def _changed(self, name: str) -> list[str]:
        config = self.configs[name]
        return [k for k in config if config[k] != self.champion.get(k)]

    def _confounds(self, name: str) -> tuple[str, ...]:
        return tuple(str(d) for d in self._differences(name) if not d.is_declared)

    def _contrast(self, contrast: Contrast, prediction: Prediction) -> ContrastStory:
        metric = self.plan.metric(prediction.metric)
        cells = {tuple(arm.changes.values()): self.arms[arm.name].values[metric.name] for arm in self.experiment.arms}
        confounds = sorted({c for name in self.arms for c in self._confounds(name)})
        noise = self.noise[metric.name]
        verdict = decide_contrast(
            prediction, contrast, cells, metric=metric, rule=self.rule, noise=noise, confounds=confounds
        )
        return ContrastStory(label=self._label(contrast), factors=contrast.factors, verdict=verdict)

    def _questions(self, contrast: Contrast) -> tuple[Prediction, ...]:
        """The registered predictions about a contrast; where there is none, whether it is a gain in the primary."""
        found = tuple(
            p
            for p in self.experiment.predictions
            if not p.arm and set((p.main,) if p.main else p.interaction) == set(contrast.factors)
        )
        primary = self.plan.primary
        if len(contrast.factors) == 1:
            plain = Prediction(main=contrast.factors[0], metric=primary, relation="better", is_registered=False)
        else:
            plain = Prediction(interaction=contrast.factors, metric=primary, relation="better", is_registered=False)
        return found or (plain,)

    def _counts(self, story: ContrastStory) -> bool:
        return story.verdict.prediction.is_registered

    def _label(self, contrast: Contrast) -> str:
        levels = dict(self.experiment.factors)
        moves = [f"{f}: {levels[f][0]} → {level}" for f, level in zip(contrast.factors, contrast.levels, strict=True)]
        return moves[0] if len(moves) == 1 else " × ".join(moves)

    def choice(self) -> Choice:
        """The experiment's decision, once nothing is wanted any more."""
        primary = self.plan.metric(self.plan.primary)
        costs = {name: arm.seconds_a_step for name, arm in self.arms.items()}
        return choose(self.steps, metric=primary, rule=self.rule, noise=self.noise[primary.name], cost=costs)

    def same(self) -> tuple[str, ...]:
        """The facts that are alike in every arm, in words."""
        runs = [r for arm in (self.champion_story, *self.arms.values()) for r in arm.runs]
        return common_facts([r for r in runs if r.status is Status.COMPLETE], self.workload.drivers)

    def differs(self) -> tuple[str, ...]:
        """What was declared to differ, and the facts that differ with it, by arm."""
        told = []
        for name in self.arms:
            settings = [f"{k} {self.champion.get(k)} → {self.configs[name][k]}" for k in self._changed(name)]
            facts = [str(d) for d in self._differences(name)]
            if settings or facts:
                told.append(f"{name}: " + ", ".join([*settings, *facts]))
        return tuple(told)

    def losses(self) -> tuple[str, ...]:
        """The seeds without a number, and why."""
        arms = (self.champion_story, *self.arms.values())
        return tuple(
            f"{arm.name}, seed {run.seed}: {run.status} ({run.reason})"
            for arm in arms
            for run in arm.runs
            if run.status is not Status.COMPLETE
        )
