"""Synthetic sweeps: everything that the report of one must be able to show."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from surefoot.choosing import BASE, Candidate, confirmed
from surefoot.plan import confirming_seeds
from surefoot.reports.sweep_story import CurveStory, FreshStory, SweepStory, TrialStory
from surefoot.run import Metric
from surefoot.space import SearchSpace, boolean, choice, constraint, integer, real
from surefoot.sweep import Confirmation, Method, Stopping, Sweep, SweepBudget

ACCURACY = Metric(name="val_accuracy", goal="maximize", unit="%", target=94.0)
LOSS = Metric(name="val_loss", goal="minimize")
LATENCY = Metric(name="latency", goal="minimize", unit="ms")
SPACE = SearchSpace(
    parameters=(
        real("lr", 1e-4, 1e-1, log=True),
        choice("optimizer", "adam", "sgd"),
        real("momentum", 0.0, 0.99, when={"optimizer": ("sgd",)}),
        integer("layers", 1, 6),
        boolean("nesterov", when={"optimizer": ("sgd",)}),
    )
)
# Sorted by what exploring showed: the first was lucky, the second is what stands.
LUCKY, STEADY = 13, 4
NOISE = (0.31, -0.42, 0.08, 0.57, -0.66, 0.21, -0.19, 0.12, 0.4)


def a_sweep(**changes):
    said = {
        "name": "net",
        "description": "Which step does the net like?",
        "workload": "fashion_mnist",
        "metrics": (ACCURACY, LOSS, LATENCY),
        "objectives": ("val_accuracy",),
        "space": SPACE,
        "base": {"lr": 0.001, "optimizer": "adam", "layers": 2, "steps": 500},
        "method": Method(name="tpe"),
        "budget": SweepBudget(trials=24),
        "confirmation": Confirmation(top=4, seeds=5),
        "path": "net.yaml",
    }
    return Sweep(**{**said, **changes})


def settings_of(i, rng, space=SPACE):
    return space.build(lambda p: p.value_at(rng.random()))


def trials_of(n, *, space=SPACE, seed=1, bad=(), **rest):
    """n trials around 88 to 91; every number in `bad` failed."""
    rng = random.Random(seed)
    found = []
    for i in range(n):
        settings = settings_of(i, rng, space)
        value = 90.0 - 3.0 * abs(math.log10(settings.get("lr", 0.01)) + 2) + rng.gauss(0, 0.5)
        value = {LUCKY: 92.41, STEADY: 91.8, 7: 91.6, 9: 91.2}.get(i, min(value, 91.0))
        if i in bad:
            said = {"state": "FAILED", "reason": f"exit code 1; last words: ValueError: bad shape {i}"}
        else:
            said = {"state": "COMPLETE", "values": (value,), "per_seed": (value,), "seeds": 1, "last_value": value}
        found.append(TrialStory(number=i, settings=settings, origin="tpe", seconds=12.5, **said, **rest))
    return tuple(found)


def fresh_of(metric=ACCURACY, *, base=True):
    """A race that the lucky trial loses: candidates, and their stories."""
    values = {STEADY: 91.0, LUCKY: 90.1, 7: 90.6, 9: 90.2, BASE: 88.9}
    many = {STEADY: 9, LUCKY: 4, 7: 4, 9: 2, BASE: 9}
    if not base:
        del values[BASE]
    return {
        number: tuple(round(mean + NOISE[(i + number) % 9], 3) for i in range(many[number]))
        for number, mean in values.items()
    }


def full_sweep(*, base=True, **changes):
    """A sweep that has come to its end: the best by exploring was lucky."""
    sweep = a_sweep(**changes)
    trials = trials_of(24, bad=(2, 11))
    metric = sweep.targets[0]
    fresh = fresh_of(base=base)
    candidates = [Candidate(number=t.number, explored=t.per_seed, fresh=fresh.get(t.number, ())) for t in trials]
    if base:
        candidates.append(Candidate(number=BASE, fresh=fresh[BASE]))
    chosen = confirmed(candidates, metric=metric, confirmation=Confirmation(top=4, seeds=5, has_base=base))
    stories = tuple(
        FreshStory(
            number=s.number,
            seeds=confirming_seeds(len(fresh[s.number])),
            values=fresh[s.number],
            claiming=5 if s.number in (chosen.number, BASE) else 0,
        )
        for s in chosen.standings
    )
    return SweepStory(
        sweep=sweep,
        phase="done",
        ending="24 trials were made, as the budget says",
        trials=trials,
        best=LUCKY,
        chosen=chosen,
        fresh=stories,
        fresh_runs=28,
        runs={"complete": 50, "failed": 2},
        hours=0.18,
        seconds_left=0.0,
        registered_at="2026-01-02T14:02:00+00:00",
        provenance={"machine": "a machine", "code": "c" * 64},
        place="--home here",
    )


def exploring_sweep():
    """A sweep under way: one trial runs, one failed, nothing is confirmed."""
    story = full_sweep()
    running = TrialStory(
        number=24, settings=story.trials[0].settings, origin="tpe", state="RUNNING", since="2026-01-02T15:00:00+00:00"
    )
    trials = (*story.trials[:9], replace(story.trials[9], retried=2, attempts=3), *story.trials[10:], running)
    return replace(
        story,
        phase="exploring",
        ending="",
        trials=trials,
        chosen=None,
        fresh=(),
        fresh_runs=0,
        seconds_left=420.0,
        runs={"complete": 22, "failed": 2, "running": 1},
    )


def single_trial():
    story = exploring_sweep()
    return replace(story, trials=story.trials[:1], best=0, runs={"complete": 1}, hours=0.003)


def all_failed():
    story = full_sweep()
    return replace(
        story,
        trials=trials_of(5, bad=range(5)),
        best=None,
        chosen=None,
        fresh=(),
        fresh_runs=0,
        runs={"failed": 5},
        ending="all 5 trials failed, the last one with: exit code 1; last words: ValueError: bad shape 4",
    )


def no_trial():
    return replace(all_failed(), trials=(), runs={}, ending="", phase="exploring", seconds_left=None, hours=0.0)


def _worn(t, rng):
    """The trial as a long night leaves it: pruned, barred, hopeless, diverged or as it was."""
    none = {"values": (), "per_seed": ()}
    if t.state == "COMPLETE" and t.number % 3 == 1:
        why = "76.1 is number 7 of 9 at step 3; the best 1/3 go on"
        return replace(t, state="PRUNED", reason=why, last_value=t.values[0] - 10 * rng.random(), **none)
    if t.state == "COMPLETE" and t.number % 50 == 6:
        return replace(t, barred_by="latency <= 20")
    if t.number % 60 == 8:
        return replace(t, values=(10.0,), per_seed=(10.0,), last_value=10.0)
    if t.number % 97 == 12:
        return replace(t, state="INFEASIBLE", reason="the loss was nan at step 12", **none)
    return t


def crowded_sweep():
    """500 trials of 12 parameters with long names; many pruned, some failed in their own ways."""
    long = tuple(
        real(f"augmentation.random_resized_crop.scale_of_stage_{i}", 0.01, 1.0, log=i % 2 == 0) for i in range(6)
    )
    names = tuple(f"a_rather_long_name_of_a_pooling_layer_{i}" for i in range(9))
    space = SearchSpace(
        parameters=(
            *SPACE.parameters[:4],
            *long,
            choice("pooling", *names),
            choice("encoder", "resnet50", "vit_base_patch16_224", "convnext_tiny"),
        ),
        constraints=(constraint("latency <= 20"),),
    )
    rng = random.Random(7)
    found = [_worn(t, rng) for t in trials_of(500, space=space, bad=range(3, 500, 41))]
    ranked = sorted((t for t in found if t.values and not t.barred_by), key=lambda t: -t.values[0])
    sweep = a_sweep(
        name="a-sweep-with-a-very-long-name-that-somebody-thought-of-in-the-night",
        space=space,
        stopping=Stopping(rule="asha", min_steps=3, max_steps=81),
        budget=SweepBudget(trials=500),
    )
    story = full_sweep()
    return replace(story, sweep=sweep, trials=tuple(found), best=ranked[0].number, curves=curves_of(found))


def curves_of(trials):
    """Curves that rise; a pruned trial's ends at a rung."""
    found = []
    for t in trials[:50]:
        last = {"PRUNED": (3, 9, 27)[t.number % 3], "FAILED": 5}.get(t.state, 81)
        end = t.last_value if t.last_value is not None else 80.0
        steps = tuple(range(1, last + 1))
        values = tuple(end - 20 * (math.exp(-s / 6) - math.exp(-last / 6)) for s in steps)
        found.append(CurveStory(number=t.number, state=t.state, steps=steps, values=values))
    return tuple(found)


def front_sweep():
    """Two objectives, which pull apart."""
    rng = random.Random(3)
    trials = []
    for t in trials_of(40):
        loss, latency = 0.3 + 0.5 * rng.random() ** 2, 4 + 30 * rng.random()
        loss += 2.0 / latency
        trials.append(replace(t, values=(loss, latency), per_seed=(loss,), state="COMPLETE", seeds=1))
    front = [
        a.number
        for a in trials
        if not any(
            b.values != a.values and all(x <= y for x, y in zip(b.values, a.values, strict=True)) for b in trials
        )
    ]
    sweep = a_sweep(objectives=("val_loss", "latency"), method=Method(name="nsga2"), confirmation=None)
    best = min(trials, key=lambda t: t.values[0])
    return replace(
        full_sweep(), sweep=sweep, trials=tuple(trials), best=best.number, front=tuple(front), chosen=None, fresh=(),
        fresh_runs=0,
    )  # fmt: skip


def scientific_sweep():
    """One scientific parameter, each of whose levels was tuned on its own."""
    space = SearchSpace(parameters=(choice("norm", "none", "batch", "layer", role="scientific"), *SPACE.parameters))
    story = full_sweep(space=space)
    norms = ("none", "batch", "layer")
    trials = tuple(replace(t, settings={"norm": norms[t.number % 3], **t.settings}) for t in story.trials[:23])
    return replace(story, trials=trials)


ALL = {
    "full": full_sweep,
    "exploring": exploring_sweep,
    "single": single_trial,
    "all_failed": all_failed,
    "no_trial": no_trial,
    "crowded": crowded_sweep,
    "front": front_sweep,
    "scientific": scientific_sweep,
}
