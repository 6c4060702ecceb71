"""Synthetic stories: a study in which everything happens that a journal must be able to say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from surefoot.claim import Step, confirm
from surefoot.comparison import Noise, NoValue, Value
from surefoot.plan import Budget, Prediction, Rule, confirming_seeds, exploring_seeds
from surefoot.reports.story import ArmStory, ContrastStory, ExperimentStory, PathPoint, RevisionStory, Story
from surefoot.run import Measurement, Metric, Provenance, Run, Status
from surefoot.stats.factorial import contrasts
from surefoot.stats.noise import Prior
from surefoot.verdict import choose, decide, decide_contrast

ACCURACY = Metric(name="val_accuracy", goal="maximize", unit="%", target=92.0, min_effect=0.3)
LOSS = Metric(name="val_loss", goal="minimize")
RULE = Rule()
SEEDS = exploring_seeds(8)
BASE = {"layers": 4, "filters": 32, "norm": "none", "dropout": 0.0, "lr": 0.001, "batch_size": 64, "steps": 500}
NORMED = {**BASE, "norm": "instance"}
WIDER = {**NORMED, "filters": 64}

# What each seed shares between arms, and what each arm adds to it: fixed numbers that look like noise.
SHARED = (0.31, -0.42, 0.08, 0.57, -0.66, 0.21, -0.19, 0.12)
OWN = (
    (0.05, -0.11, 0.19, -0.08, 0.02, -0.15, 0.12, -0.04),
    (-0.14, 0.07, 0.03, -0.21, 0.16, 0.09, -0.05, 0.05),
    (0.11, 0.18, -0.17, 0.04, -0.09, -0.02, 0.06, -0.13),
    (-0.03, -0.16, 0.10, 0.13, 0.07, -0.20, 0.01, 0.09),
)
# Given rather than estimated, so that a golden page changes only when what is said changes.
NOISE = Noise(
    floor_sd=0.4,
    floor_n=8,
    paired=Prior(df=10.0, variance=0.04, sets=6),
    single=Prior(df=10.0, variance=0.16, sets=7),
    correlation=0.88,
)
LOSS_NOISE = Noise(floor_sd=0.011, floor_n=8)


def values_around(mean: float, which: int, n: int = 8, *, scale: float = 1.0) -> tuple[float, ...]:
    """n values with a mean near `mean` that share their seeds' luck with every other arm."""
    own = OWN[which % len(OWN)]
    return tuple(round(mean + scale * (SHARED[i] + own[i]), 4) for i in range(n))


def run_of(config: Mapping[str, Any], seed: int, final: Value, loss: Value, number: int = 1) -> Run:
    """A run whose curves end in its final values; a diverged one ends INFEASIBLE in the middle."""
    is_diverged = final is NoValue.DIVERGED
    steps = range(50, 301 if is_diverged else 501, 50)
    end, low = (70.0, 1.0) if isinstance(final, NoValue) or isinstance(loss, NoValue) else (final, loss)
    measurements = tuple(
        Measurement(
            step=s,
            values={
                "val_accuracy": end - 25.0 * (math.exp(-s / 120) - math.exp(-500 / 120)),
                "val_loss": low + 0.8 * (math.exp(-s / 120) - math.exp(-500 / 120)),
            },
        )
        for s in steps
    )
    return Run(
        id=number,
        key=f"{number:064x}",
        workload="fashion_mnist",
        config=dict(config),
        seed=seed,
        status=Status.INFEASIBLE if is_diverged else Status.COMPLETE,
        reason="the loss exploded at step 312" if is_diverged else "",
        measurements=measurements,
        facts={"steps": 500},
        provenance=Provenance(code_fingerprint="5be2" * 16, data_fingerprint="a91c" * 16, wall_seconds=21.5),
    )


def arm_of(
    name: str,
    changes: Mapping[str, Any],
    config: Mapping[str, Any],
    values: Sequence[Value],
    seeds: Sequence[int] = SEEDS,
    seconds: float = 0.043,
) -> ArmStory:
    """An arm with its runs; its loss goes against its accuracy."""
    losses = tuple(v if isinstance(v, NoValue) else round(2.9 - 0.028 * v, 4) for v in values)
    seeds = tuple(seeds)[: len(values)]
    runs = tuple(run_of(config, s, v, low, s) for s, v, low in zip(seeds, values, losses, strict=True))
    return ArmStory(
        name=name,
        changes=changes,
        config=config,
        seeds=seeds,
        values={"val_accuracy": tuple(values), "val_loss": losses},
        runs=runs,
        seconds_a_step=(seconds,) * len(seeds),
    )


def experiment_of(
    number: int,
    name: str,
    champion: Sequence[float],
    arms: Mapping[str, tuple[Mapping[str, Any], Sequence[Value]]],
    predictions: Sequence[Prediction],
    *,
    base: Mapping[str, Any] = NORMED,
    confounds: Mapping[str, tuple[str, ...]] | None = None,
    screened: Sequence[str] = (),
    noise: Noise | None = None,
    **rest: Any,
) -> ExperimentStory:
    """An experiment decided by the real `decide` and `choose` from the values given."""
    noise = noise or NOISE
    told = [arm_of(n, changes, {**base, **changes}, values) for n, (changes, values) in arms.items()]
    champion_arm = arm_of("champion", {}, base, champion)
    steps, verdicts = {}, []
    for arm in told:
        question = Prediction(arm=arm.name, metric="val_accuracy", relation="better", is_registered=False)
        about = [p for p in predictions if p.arm == arm.name] or [question]
        for asked in dict.fromkeys((question, *about)):
            metric = ACCURACY if asked.metric == "val_accuracy" else LOSS
            found = decide(
                asked,
                arm.values[metric.name],
                champion_arm.values[metric.name],
                metric=metric,
                rule=RULE,
                noise=noise if metric is ACCURACY else LOSS_NOISE,
                is_screened=arm.name in screened,
                confounds=(confounds or {}).get(arm.name, ()),
            )
            if asked is question:
                steps[arm.name] = found
            if asked in about:
                verdicts.append(found)
    choice = choose(steps, metric=ACCURACY, rule=RULE, noise=noise)
    adopted = next((a.config for a in told if a.name == choice.arm and choice.decision.value == "ADOPT"), base)
    settled = {
        "number": number,
        "id": name,
        "because": "",
        "revision": 1,
        "plan_hash": "3f9a1c" + "0" * 58,
        "registered_at": "2026-01-02T14:02:11+00:00",
        "state": "decided",
        "rule": RULE,
        "noise": noise,
        "champion": champion_arm,
        "arms": tuple(told),
        "predictions": tuple(predictions),
        "verdicts": tuple(verdicts),
        "steps": steps,
        "choice": choice,
        "champion_before": base,
        "champion_after": adopted,
        "same": ("steps 500", "batch 64", "data a91c91c9", "code 5be25be2"),
        "runs_trained": sum(len(a.runs) for a in told),
        "runs_reused": 8,
        "train_seconds": 21.5 * sum(len(a.runs) for a in told),
    }
    return ExperimentStory(**{**settled, **rest})


def normalisation() -> ExperimentStory:
    """Two arms that help; the larger gain is adopted."""
    return experiment_of(
        1,
        "normalisation",
        values_around(86.1, 0),
        {
            "batch": ({"norm": "batch"}, values_around(88.6, 1)),
            "instance": ({"norm": "instance"}, values_around(89.4, 2)),
        },
        [
            Prediction(arm="instance", metric="val_accuracy", relation="better", by=1.0),
            Prediction(arm="batch", metric="val_accuracy", relation="better"),
            Prediction(arm="batch", metric="val_loss", relation="better"),
        ],
        base=BASE,
        hypothesis="Normalisation lets this net train faster within the same 500 steps.",
        because="Without it the scale of activations drifts through four convolutions.",
        gap_before=5.9,
        gap_after=2.6,
        differs=("norm as declared", "parameters 832,554 → 832,298"),
        next="synergy, on the new champion",
    )


def synergy() -> ExperimentStory:
    """A factorial: two main effects and an interaction."""
    factors = (("norm", ("none", "instance")), ("dropout", (0.0, 0.1)))
    cells = {
        ("none", 0.0): values_around(86.1, 0),
        ("none", 0.1): values_around(85.2, 1),
        ("instance", 0.0): values_around(89.4, 2),
        ("instance", 0.1): values_around(89.3, 3),
    }
    told = [Prediction(interaction=("norm", "dropout"), metric="val_accuracy", relation="better")]
    stories = []
    for contrast in contrasts(factors):
        is_pair = len(contrast.factors) == 2
        prediction = (
            told[0]
            if is_pair
            else Prediction(main=contrast.factors[0], metric="val_accuracy", relation="better", is_registered=False)
        )
        verdict = decide_contrast(prediction, contrast, cells, metric=ACCURACY, rule=RULE, noise=NOISE)
        first = dict(factors)[contrast.factors[0]][0]
        label = " × ".join(contrast.factors) if is_pair else f"{contrast.factors[0]}: {first} → {contrast.levels[0]}"
        stories.append(ContrastStory(label=label, factors=contrast.factors, verdict=verdict))
    arms = {
        f"norm={norm}, dropout={dropout}": ({"norm": norm, "dropout": dropout}, values)
        for (norm, dropout), values in cells.items()
        if (norm, dropout) != ("instance", 0.0)
    }
    return experiment_of(
        2,
        "synergy",
        cells["instance", 0.0],
        arms,
        told,
        hypothesis="Dropout helps more once activations are normalised.",
        because="A normalised net overfits more, and dropout is what holds that.",
        contrasts=tuple(stories),
        gap_before=2.6,
        gap_after=2.6,
        differs=("norm and dropout as declared",),
        next="optimiser",
    )


def optimiser() -> ExperimentStory:
    """A refuted, an underpowered and an equivalent arm."""
    champion = values_around(89.4, 2)
    return experiment_of(
        3,
        "optimiser",
        champion,
        {
            "sgd": ({"lr": 0.1}, values_around(88.3, 0)),
            "faster": (
                {"lr": 0.003},
                tuple(v + d for v, d in zip(champion, (0.9, -0.7, 0.5, -0.3, 0.8, -0.6, 0.7, 0.1), strict=True)),
            ),
            "slower": (
                {"lr": 0.0009},
                tuple(v + d for v, d in zip(champion, (0.02, -0.03, 0.01, 0.0, -0.02, 0.03, 0.01, -0.01), strict=True)),
            ),
        },
        [
            Prediction(arm="sgd", metric="val_accuracy", relation="better"),
            Prediction(arm="faster", metric="val_accuracy", relation="better", by=0.5),
            Prediction(arm="slower", metric="val_accuracy", relation="same", within=0.3),
        ],
        hypothesis="A larger learning rate makes better use of 500 steps.",
        gap_before=2.6,
        gap_after=2.6,
        revision=2,
        plan_hash="8c01de" + "0" * 58,
        registered_at="2026-01-03T09:30:00+00:00",
        known=("normalisation: instance adopted, +3.3 pp over 8 seeds", "synergy: no arm adopted"),
        losses=("faster, seed 4: the first attempt was killed (out of memory); trained again",),
        next="width",
    )


def width() -> ExperimentStory:
    """A confounded arm, a diverged one, a screened one, and one adopted."""
    champion = values_around(89.4, 2)
    broken: list[Value] = list(values_around(88.0, 1))
    broken[1] = broken[4] = NoValue.DIVERGED
    return experiment_of(
        4,
        "width",
        champion,
        {
            "wide": ({"filters": 64}, values_around(90.1, 3)),
            "wide, longer": ({"filters": 64, "steps": 500}, values_around(90.6, 0)),
            "hot": ({"lr": 0.3}, broken),
            "narrow": ({"filters": 8}, values_around(84.0, 0, 1)),
        },
        [
            Prediction(arm="wide", metric="val_accuracy", relation="better", by=0.3),
            Prediction(arm="wide, longer", metric="val_accuracy", relation="better"),
            Prediction(arm="hot", metric="val_accuracy", relation="better"),
        ],
        hypothesis="More filters see more of what tells a shirt from a coat.",
        because="The confusions that are left are between garments of one outline.",
        confounds={"wide, longer": ("steps 500 against 750",)},
        screened=("narrow",),
        gap_before=2.6,
        gap_after=1.9,
        differs=("filters as declared", "steps 500 → 750 (wide, longer)"),
        losses=("hot, seeds 2 and 5: the loss exploded",),
        next="finalise",
    )


@lru_cache(maxsize=1)
def full_story() -> Story:
    """A study at its end: one step claimed, one not, an overall test, and a revision made after runs had ended."""
    experiments = (normalisation(), synergy(), optimiser(), width())
    fresh = [values_around(mean, which) for mean, which in ((86.2, 3), (89.1, 0), (89.3, 1))]
    steps = (
        Step(
            name="normalisation",
            before="norm none",
            after="norm instance",
            before_values=fresh[0],
            after_values=fresh[1],
        ),
        Step(
            name="width",
            before="filters 32",
            after="filters 64",
            before_values=fresh[1],
            after_values=tuple(
                v + d for v, d in zip(fresh[1], (0.5, -0.4, 0.3, -0.2, 0.4, -0.5, 0.2, -0.1), strict=True)
            ),
        ),
    )
    claims = confirm(steps, metric=ACCURACY, rule=RULE, noise=NOISE)
    whole = Step(
        name="overall", before="baseline", after="champion", before_values=fresh[0], after_values=steps[1].after_values
    )
    overall = confirm((whole,), metric=ACCURACY, rule=RULE, noise=NOISE)[0]
    return Story(
        study="fashion-cnn",
        workload="fashion_mnist",
        phase="finalise",
        metrics=(ACCURACY, LOSS),
        primary=ACCURACY,
        rule=RULE,
        budget=Budget(runs=120, hours=2),
        plan_hash="8c01de" + "0" * 58,
        plan_path="plan.yaml",
        revisions=(
            RevisionStory(number=1, plan_hash="3f9a1c" + "0" * 58, registered_at="2026-01-02T14:02:11+00:00"),
            RevisionStory(
                number=2,
                plan_hash="8c01de" + "0" * 58,
                registered_at="2026-01-03T09:30:00+00:00",
                changes=("experiment optimiser added", "experiment width added"),
                known=experiments[2].known,
            ),
        ),
        noise={"val_accuracy": NOISE, "val_loss": LOSS_NOISE},
        baseline=arm_of("baseline", {}, BASE, values_around(86.1, 0)),
        champion_config=WIDER,
        champion_values=values_around(90.1, 3),
        experiments=experiments,
        path=(
            PathPoint(label="baseline", experiment="", exploring=values_around(86.1, 0), fresh=fresh[0]),
            PathPoint(
                label="norm none → instance",
                experiment="normalisation",
                exploring=values_around(89.4, 2),
                fresh=fresh[1],
                is_claimed=True,
            ),
            PathPoint(
                label="filters 32 → 64",
                experiment="width",
                exploring=values_around(90.1, 3),
                fresh=steps[1].after_values,
            ),
        ),
        claims=claims,
        overall=overall,
        fresh_seeds=confirming_seeds(len(overall.step.after_values)),
        target_gap=1.9,
        test_values={
            "baseline": {"val_accuracy": values_around(85.7, 1)},
            "champion": {"val_accuracy": values_around(88.9, 2)},
        },
        test_opened_at="2026-01-04T11:00:00+00:00",
        expected_false_adopts=1.6,
        q_values={
            "normalisation / instance": 0.00001,
            "normalisation / batch": 0.00002,
            "width / wide": 0.004,
            "optimiser / faster": 0.41,
        },
        run_counts={"complete": 99, "infeasible": 2, "failed": 1},
        hours=0.62,
        notices=("the data root holds a second copy of the training images",),
        provenance={
            "git": "1f3e9b2 (clean)",
            "python": "3.11.8",
            "torch": "2.13.0",
            "device": "cpu, 1 thread",
            "machine": "2 cores, 8 GiB",
            "data": "a91c91c9",
            "seeds kept for claims": f"{confirming_seeds(8)[0]} … {confirming_seeds(8)[-1]}",
        },
    )


def empty_story() -> Story:
    """A study whose plan is registered and whose first run has not begun."""
    full = full_story()
    waiting = ExperimentStory(
        number=1,
        id="normalisation",
        hypothesis=full.experiments[0].hypothesis,
        because="",
        state="waiting",
        predictions=full.experiments[0].predictions,
        revision=1,
        plan_hash=full.plan_hash,
        registered_at="2026-01-02T14:02:11+00:00",
        rule=RULE,
        noise=Noise(),
        arms=tuple(replace(a, seeds=(), values={}, runs=(), seconds_a_step=()) for a in full.experiments[0].arms),
    )
    return replace(
        full,
        phase="plan",
        revisions=full.revisions[:1],
        noise={},
        baseline=None,
        champion_config=BASE,
        champion_values=(),
        experiments=(waiting,),
        path=(),
        claims=(),
        overall=None,
        target_gap=None,
        test_values={},
        test_opened_at="",
        expected_false_adopts=0.0,
        q_values={},
        run_counts={},
        hours=0.0,
        notices=(),
        provenance={},
    )


def started_story() -> Story:
    """A study with its baseline trained and its first experiment half way: no verdict yet."""
    full, first = full_story(), full_story().experiments[0]
    arms = {a.name: (a.changes, a.values["val_accuracy"][:2]) for a in first.arms}
    running = experiment_of(
        1,
        "normalisation",
        values_around(86.1, 0),
        arms,
        first.predictions,
        base=BASE,
        hypothesis=first.hypothesis,
        state="running",
        choice=None,
        gap_before=5.9,
        gap_after=None,
    )
    return replace(
        full,
        phase="optimise",
        revisions=full.revisions[:1],
        champion_config=BASE,
        champion_values=values_around(86.1, 0),
        experiments=(running,),
        path=full.path[:1],
        claims=(),
        overall=None,
        target_gap=5.9,
        test_values={},
        test_opened_at="",
        expected_false_adopts=0.0,
        q_values={},
        run_counts={"complete": 12, "running": 2},
        hours=0.07,
    )


def crowded_story(arms: int = 12) -> Story:
    """One experiment of many arms with long names."""
    full = full_story()
    many = {
        f"a rather long name of an arm, number {i + 1}, with its schedule=cosine": (
            {"filters": 16 + i},
            values_around(88.9 + 0.12 * i, i),
        )
        for i in range(arms)
    }
    crowd = experiment_of(
        1,
        "every-width-that-came-to-mind-on-a-long-afternoon",
        values_around(89.4, 2),
        many,
        [],
        hypothesis="One of these is right.",
        gap_before=2.6,
        gap_after=1.8,
    )
    return replace(full, experiments=(crowd,), claims=(), overall=None, path=full.path[:2], q_values={})


def poisoned(value: Any, payload: str, field_name: str = "") -> Any:
    """The story with the payload at the end of every text that a person or a program could have written."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {f.name: poisoned(getattr(value, f.name), payload, f.name) for f in fields(value)}
        return replace(value, **found)
    if isinstance(value, Mapping):
        return {poisoned(k, payload): poisoned(v, payload) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(poisoned(v, payload) for v in value)
    is_word_of_ours = isinstance(value, StrEnum) or field_name in ("goal", "relation", "state", "kind")
    return value + payload if isinstance(value, str) and value and not is_word_of_ours else value
