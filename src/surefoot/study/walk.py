"""The study's loop as a replay: from a plan and the runs so far to the story, and the runs wanted next.

Nothing is remembered between two walks. Whatever was interrupted, walking again over the record
comes to the same verdicts and asks for the same next runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from surefoot.claim import Claim, Step, confirm
from surefoot.comparison import Noise, NoValue, Value, study_noise
from surefoot.confounds import fact_differences
from surefoot.plan import BLOCK, Arm, Experiment, Plan, Rule, confirming_seeds, exploring_seeds, final_seeds
from surefoot.reports.searched import searched
from surefoot.reports.story import ArmStory, ExperimentStory, PathPoint, SearchStory
from surefoot.run import Run, Status, config_hash
from surefoot.stats.multiplicity import benjamini_hochberg
from surefoot.stats.noise import PairedSet, paired_set
from surefoot.study.race import Config, Race
from surefoot.verdict import Choice, Decision, End
from surefoot.workload import Workload

FINALISE = "finalise"
# A finite number beyond this is a training that exploded and stopped before it reached infinity.
LARGEST_VALUE = 1e100
BASELINE, CONFIRMATION, FINAL = "baseline", "confirmation", "final"
# The champion's cached values serve this many comparisons; then a fresh block of seeds begins, so
# that one lucky sample of the champion cannot mark every later arm (facts of the procedure, step 8).
COMPARISONS_PER_BLOCK = 20
FIRST_REPEAT_BLOCK = 50
ASKED_AGAIN_BLOCK = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A run that the study needs next."""

    config: Config
    seed: int
    experiment: str
    arm: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """When and under which rule an experiment was registered.

    `block` is its block of exploring seeds where it must not share the usual one (a repeat), else None.
    """

    revision: int
    plan_hash: str
    registered_at: str
    rule: Rule
    block: int | None = None
    known: tuple[str, ...] = ()

    @property
    def times_asked(self) -> int:
        """How often its question had been asked before it was registered."""
        return max((self.block or 0) - FIRST_REPEAT_BLOCK, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """A champion (its config's hash) that an experiment was asked on, since which revision, and what came of it."""

    champion: str
    revision: int
    decision: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What a walk goes over: the plan, what is registered, and how to find a run that has ended.

    `skipped` maps an experiment's id, or CONFIRMATION, to the reason why it will not go on (the
    budget is spent). `askings` are the champions that each experiment was asked on, the first one first.
    `confirm_block` counts the earlier confirmations, other than today's, whose seeds are fresh no more;
    `asked_before` those among them that asked one of today's questions, and spent error on it.
    `find(config, seed)` gives the ended run, or None. `searches` are those that have come to their end, by
    experiment, champion (its config's hash) and what was searched (the search's hash). `holds` names what must
    not begin yet, CONFIRMATION or FINAL: a gate is before it.
    """

    plan: Plan
    workload: Workload
    registrations: Mapping[str, Registration]
    find: Callable[[Config, int], Run | None]
    skipped: Mapping[str, str] = field(default_factory=dict)
    confirm_block: int = 0
    asked_before: int = 0
    askings: Mapping[str, Sequence[Asking]] = field(default_factory=dict)
    revision: int = 1
    searches: Mapping[tuple[str, str, str], SearchStory] = field(default_factory=dict)
    holds: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """Where a study stands: its parts told so far, and the runs it wants next.

    `fresh` are the configs of the path on the confirmation's seeds. `exploring` is the experiment whose
    search must go on before anything else can. `final` is the champion on the seeds of its last training.
    """

    phase: str
    baseline: ArmStory | None
    experiments: tuple[ExperimentStory, ...]
    champion: Config
    path: tuple[PathPoint, ...]
    path_configs: tuple[Config, ...]
    noise: Mapping[str, Noise]
    claims: tuple[Claim, ...] = ()
    overall: Claim | None = None
    fresh: tuple[ArmStory, ...] = ()
    wanted: tuple[Request, ...] = ()
    champion_values: tuple[float, ...] = ()
    q_values: Mapping[str, float] = field(default_factory=dict)
    expected_false_adopts: float = 0.0
    exploring: str = ""
    final: ArmStory | None = None


def walk(material: Material) -> Walk:
    """The study replayed over the runs that have ended."""
    return _Walker(material).walk()


def value_of(run: Run, metric: str) -> Value:
    """A run's final value of a metric, or why it has none."""
    if run.status is Status.INFEASIBLE:
        return NoValue.DIVERGED
    value = run.final(metric) if run.status is Status.COMPLETE else None
    if value is None:
        return NoValue.LOST
    return NoValue.DIVERGED if abs(value) > LARGEST_VALUE else value


def numbers(values: Sequence[Value]) -> tuple[float, ...]:
    """The values that are numbers."""
    return tuple(v for v in values if not isinstance(v, NoValue))


def false_adopts(story: ExperimentStory) -> float:
    """How many worthless arms the experiment may adopt by chance, at most."""
    return len(story.steps) * story.rule.adopt_alpha


def gap_to_target(plan: Plan, values: Sequence[float]) -> float | None:
    """Target minus mean in the direction of the goal (positive: still to go); None without a target."""
    metric = plan.metric(plan.primary)
    if metric.target is None or not values:
        return None
    return metric.sign * (metric.target - sum(values) / len(values))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stop:
    """A config the champion stood on: the experiment that adopted it, on which block of seeds, and what it allowed."""

    experiment: str
    label: str
    config: Config
    block: int = 0
    allow: tuple[str, ...] = ()


class _Walker:
    """One walk: the champion, its path and the noise as they grow from experiment to experiment."""

    def __init__(self, material: Material) -> None:
        self.material, self.plan, self.workload = material, material.plan, material.workload
        self.primary = self.plan.metric(self.plan.primary)
        self.registrations = dict(material.registrations)
        self.path = [_Stop(experiment=BASELINE, label=BASELINE, config=dict(self.plan.baseline))]
        rules = [self.plan.rule, *(r.rule for r in material.registrations.values())]
        self.most_seeds = max(rule.seeds for rule in rules)
        self.past: dict[str, list[PairedSet]] = {m.name: [] for m in self.plan.metrics}
        self.floor: Mapping[str, tuple[Value, ...]] = {m.name: () for m in self.plan.metrics}
        self.comparisons = 0
        self.wanted: dict[tuple[str, int], Request] = {}
        self.exploring = ""

    @property
    def champion(self) -> Config:
        return self.path[-1].config

    def walk(self) -> Walk:
        """Baseline, experiments in order, confirmation; stops where runs are missing."""
        seeds = exploring_seeds(self.most_seeds)
        baseline = self._arm(Arm(name=BASELINE, changes={}), self.champion, seeds, BASELINE)
        told: list[ExperimentStory] = []
        is_open = bool(self.wanted) or len(numbers(baseline.values[self.primary.name])) < 2
        phase = BASELINE if is_open else "optimise"
        self.floor = baseline.values
        for number, experiment in enumerate(self.plan.experiments, start=1):
            story = self._waiting(number, experiment) if is_open else self._experiment(number, experiment)
            told.append(story)
            is_open = is_open or story.state == "running"
        claims: tuple[Claim, ...] = ()
        overall: Claim | None = None
        fresh: tuple[ArmStory, ...] = ()
        final: ArmStory | None = None
        if not is_open and CONFIRMATION not in self.material.holds:
            phase, claims, overall, fresh = self._confirmation()
        if phase == "done":
            final = self._final()
            phase = FINALISE if self.wanted else phase
        return Walk(
            phase=phase,
            baseline=baseline,
            experiments=tuple(_with_next(told)),
            champion=self.champion,
            path=self._points(fresh, claims),
            path_configs=tuple(stop.config for stop in self.path),
            noise=self._noise(),
            claims=claims,
            overall=overall,
            fresh=fresh,
            wanted=tuple(self.wanted.values()),
            champion_values=self._known_values(self.path[-1]),
            q_values=_q_values(told),
            expected_false_adopts=sum(false_adopts(e) for e in told if e.state == "decided"),
            exploring=self.exploring,
            final=final,
        )

    def _final(self) -> ArmStory | None:
        """The champion's last training, where the plan asks for one and it may begin."""
        seeds = self.plan.finalise.seeds if self.plan.finalise else 0
        if not seeds or FINAL in self.material.holds or FINAL in self.material.skipped:
            return None
        return self._arm(Arm(name=FINAL, changes={}), self.champion, final_seeds(seeds), FINAL)

    def _noise(self, seeds: int | None = None) -> dict[str, Noise]:
        """The noise of each metric by now; of the baseline only the first `seeds` count, all without."""
        return {name: study_noise(numbers(self.floor[name][:seeds]), past) for name, past in self.past.items()}

    def _known_values(self, stop: _Stop) -> tuple[float, ...]:
        """The primary metric of a champion on the exploring seeds it was adopted on, as far as they are trained."""
        runs = [self.material.find(stop.config, seed) for seed in exploring_seeds(self.most_seeds, stop.block)]
        return numbers([value_of(run, self.primary.name) for run in runs if run is not None])

    def _arm(self, arm: Arm, config: Config, seeds: Sequence[int], experiment: str) -> ArmStory:
        """The arm's runs on these seeds that have ended, up to the first gap; the missing ones are wanted."""
        runs: list[Run] = []
        is_whole = True
        for seed in seeds:
            run = self.material.find(config, seed)
            if run is None:
                request = Request(config=config, seed=seed, experiment=experiment, arm=arm.name)
                self.wanted.setdefault((config_hash(config), seed), request)
            is_whole = is_whole and run is not None
            if is_whole and run is not None:
                runs.append(run)
        costs = [c for run in runs if isinstance(c := run.facts.get("seconds_per_step"), float | int)]
        return ArmStory(
            name=arm.name,
            changes=arm.changes,
            config=config,
            seeds=tuple(seeds[: len(runs)]),
            values={m.name: tuple(value_of(run, m.name) for run in runs) for m in self.plan.metrics},
            runs=tuple(runs),
            seconds_a_step=tuple(costs),
        )

    def _waiting(self, number: int, experiment: Experiment) -> ExperimentStory:
        return self._told(number, experiment, state="waiting")

    def _told(self, number: int, experiment: Experiment, **rest: Any) -> ExperimentStory:
        registration = self.registrations[experiment.id]
        return ExperimentStory(
            number=number,
            id=experiment.id,
            hypothesis=experiment.hypothesis,
            because=experiment.because,
            predictions=experiment.predictions,
            revision=registration.revision,
            plan_hash=registration.plan_hash,
            registered_at=registration.registered_at,
            known=registration.known,
            repeats=experiment.repeats,
            rule=registration.rule,
            **{"noise": Noise(), **rest},
        )

    def _experiment(self, number: int, experiment: Experiment) -> ExperimentStory:
        registration = self.registrations[experiment.id] = self._asked(experiment)
        search: SearchStory | None = None
        if experiment.search is not None:
            search = self.material.searches.get((experiment.id, config_hash(self.champion), experiment.search.hash))
            if search is None or not search.picks:
                return self._searching(number, experiment, search)
            picked = tuple(Arm(name=pick.arm, changes=pick.changes) for pick in search.picks)
            experiment = replace(experiment, arms=picked)
        block = registration.block
        if block is None:
            block = min(self.comparisons // COMPARISONS_PER_BLOCK, FIRST_REPEAT_BLOCK - 1)
        race = Race(
            experiment,
            registration.rule,
            exploring_seeds(registration.rule.seeds, block),
            plan=self.plan,
            workload=self.workload,
            champion=self.champion,
            # More baseline seeds, asked for later, must not change what was decided with fewer.
            noise=self._noise(registration.rule.seeds),
            gather=lambda arm, config, seeds: self._arm(arm, config, seeds, experiment.id),
        )
        skipped = self.material.skipped.get(experiment.id, "")
        if skipped:
            self.wanted.clear()
        state = "skipped" if skipped else "running" if self.wanted else "decided"
        before, gaps = self.champion, (self._gap(), self._gap())
        choice = Choice(decision=Decision.KEEP, reason=skipped) if skipped else None
        if state == "decided":
            choice = race.choice()
            self._adopt(experiment, choice, race, block)
            gaps = self._gaps(race, choice) or gaps
            self._remember(race)
        return self._told(
            number,
            experiment,
            state=state,
            note=skipped,
            noise=race.noise[self.primary.name],
            champion=race.champion_story,
            arms=tuple(race.arms.values()),
            verdicts=race.verdicts,
            steps=race.steps,
            contrasts=race.contrast_stories,
            choice=choice,
            champion_before=before,
            champion_after=self.champion,
            gap_before=gaps[0],
            gap_after=gaps[1],
            same=race.same(),
            differs=race.differs(),
            losses=race.losses(),
            search=searched(experiment.search, search),
        )

    def _searching(self, number: int, experiment: Experiment, search: SearchStory | None) -> ExperimentStory:
        """An experiment that has no arms: its search goes on, or was ended, or found nothing."""
        note = self.material.skipped.get(experiment.id, "")
        if search is not None:
            note = note or f"its search found no config with a value: {search.ending}. Edited, it searches again"
        if not note:
            self.exploring = experiment.id
        told = searched(experiment.search, search)
        before = {"champion_before": self.champion, "champion_after": self.champion, "search": told}
        if not note:
            return self._told(number, experiment, state="running", **before)
        choice = Choice(decision=Decision.KEEP, reason=note)
        return self._told(number, experiment, state="skipped", note=note, choice=choice, **before)

    def _asked(self, experiment: Experiment) -> Registration:
        """Its registration; on another champion than the first, with re-spent error, and seeds nobody has seen."""
        registration, champion = self.material.registrations[experiment.id], config_hash(self.champion)
        askings = [*self.material.askings.get(experiment.id, ())]
        askings.append(Asking(champion=champion, revision=self.material.revision))
        times = [asking.champion for asking in askings].index(champion)
        if times == 0:
            return registration
        known = [
            f"asked again on another champion in revision {asking.revision}, when "
            + (f"its decision ({last.decision}) was known" if last.decision else "some of its runs were known")
            for last, asking in itertools.pairwise(askings[: times + 1])
        ]
        return replace(
            registration,
            rule=registration.rule.respent(times),
            block=ASKED_AGAIN_BLOCK + BLOCK * registration.times_asked + times,
            known=(*registration.known, *known),
        )

    def _gap(self) -> float | None:
        return gap_to_target(self.plan, self._known_values(self.path[-1]))

    def _gaps(self, race: Race, choice: Choice) -> tuple[float | None, float | None] | None:
        """The gaps before and after an adoption, both over the seeds that champion and arm share."""
        if choice.decision is not Decision.ADOPT:
            return None
        name = self.primary.name
        pairs = [
            (a, b)
            for a, b in zip(race.champion_story.values[name], race.arms[choice.arm].values[name], strict=False)
            if not isinstance(a, NoValue) and not isinstance(b, NoValue)
        ]
        return gap_to_target(self.plan, [a for a, _ in pairs]), gap_to_target(self.plan, [b for _, b in pairs])

    def _adopt(self, experiment: Experiment, choice: Choice, race: Race, block: int) -> None:
        if choice.decision is Decision.ADOPT:
            stop = _Stop(
                experiment=experiment.id,
                label=f"{experiment.id}: {choice.arm}",
                config=race.configs[choice.arm],
                block=block,
                allow=experiment.allow,
            )
            self.path.append(stop)

    def _remember(self, race: Race) -> None:
        """Adds the experiment's pairs to what the study knows of its noise."""
        for name, arm in race.arms.items():
            if race.is_champion(name):
                continue
            self.comparisons += 1
            for metric in self.past:
                pairs = [
                    (a, b)
                    for a, b in zip(arm.values[metric], race.champion_story.values[metric], strict=False)
                    if not isinstance(a, NoValue) and not isinstance(b, NoValue)
                ]
                if len(pairs) >= 2:
                    self.past[metric].append(paired_set([a for a, _ in pairs], [b for _, b in pairs]))

    def _confirmation(self) -> tuple[str, tuple[Claim, ...], Claim | None, tuple[ArmStory, ...]]:
        if len(self.path) == 1 or CONFIRMATION in self.material.skipped:
            return "done", (), None, ()
        seeds = confirming_seeds(self.plan.rule.confirm_seeds, self.material.confirm_block)
        stories = tuple(
            self._arm(Arm(name=stop.label, changes={}), stop.config, seeds, CONFIRMATION) for stop in self.path
        )
        if self.wanted:
            return "confirm", (), None, stories
        steps = [self._step(stories, i, i + 1) for i in range(len(stories) - 1)]
        whole = self._step(stories, 0, len(stories) - 1)
        return "done", self._claims(steps), self._claims([whole])[0], stories

    def _claims(self, steps: Sequence[Step]) -> tuple[Claim, ...]:
        """The claims; one asked again on other fresh seeds has half the error to spend, and half again."""
        noise = self._noise()[self.primary.name]
        strict = replace(self.plan.rule, claim_alpha=self.plan.rule.claim_alpha * 0.5**self.material.asked_before)
        claims = confirm(steps, metric=self.primary, rule=strict, noise=noise)
        plain = confirm(steps, metric=self.primary, rule=self.plan.rule, noise=noise)
        reason = (
            f"it was put to fresh seeds {self.material.asked_before + 1} times, "
            f"so its error now is {strict.claim_alpha:g}, and that it does not pass"
        )
        return tuple(
            replace(claim, reason=reason) if free.is_confirmed and not claim.is_confirmed else claim
            for claim, free in zip(claims, plain, strict=True)
        )

    def _step(self, stories: Sequence[ArmStory], i: int, j: int) -> Step:
        before, after = stories[i], stories[j]
        changed = {k for k in after.config if after.config[k] != before.config.get(k)}
        differences = fact_differences(
            [run for run in after.runs if run.status is Status.COMPLETE],
            [run for run in before.runs if run.status is Status.COMPLETE],
            changed=changed,
            drivers=self.workload.drivers,
            allow={fact for stop in self.path[i + 1 : j + 1] for fact in stop.allow},
        )
        return Step(
            name=after.name if j == i + 1 else "baseline → champion",
            before=before.name,
            after=after.name,
            before_values=before.values[self.primary.name],
            after_values=after.values[self.primary.name],
            confounds=tuple(str(d) for d in differences if not d.is_declared),
        )

    def _points(self, fresh: Sequence[ArmStory], claims: Sequence[Claim]) -> tuple[PathPoint, ...]:
        return tuple(
            PathPoint(
                label=stop.label,
                experiment=stop.experiment,
                exploring=self._known_values(stop),
                fresh=numbers(fresh[i].values[self.primary.name]) if fresh else (),
                is_claimed=0 < i <= len(claims) and claims[i - 1].is_confirmed,
            )
            for i, stop in enumerate(self.path)
        )


def _with_next(told: Sequence[ExperimentStory]) -> list[ExperimentStory]:
    """Each experiment with the name of the one that follows."""
    following = (*(e.id for e in told[1:]), "")
    return [replace(e, next=name) for e, name in zip(told, following, strict=False)]


def _q_values(told: Sequence[ExperimentStory]) -> dict[str, float]:
    """Benjamini-Hochberg over every arm's test of the primary metric, by "experiment / arm"."""
    p_values = {
        f"{e.id} / {name}": v.p
        for e in told
        for name, v in e.steps.items()
        if v.p is not None and v.end is not End.WAITING
    }
    return dict(zip(p_values, benjamini_hochberg(list(p_values.values())), strict=True))
