"""The gate of the plan: what is fixed before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from surefoot.phases.dossier import Dossier
from surefoot.phases.gate import Check
from surefoot.phases.question import Question, few, named
from surefoot.plan import BLOCK, confirming_seeds, exploring_seeds
from surefoot.run import config_hash
from surefoot.thresholds import Thresholds
from surefoot.words import config_change, count, listing, number, setting, short_hash, unit_of

ENVIRONMENT = ("python", "machine", "device", "threads", "packages")


def plan_registered(dossier: Dossier) -> Check:
    """Whether the plan at hand is the one on record, registered before its runs."""
    ask = Question(predicate="plan_registered", text="The plan is on record, by its hash, before anything is trained.")
    if not dossier.plan_hash or not dossier.registered_at:
        return ask.blocked("The plan is not on record; `surefoot run PLAN` registers it.")
    mine = dossier.plan.hash
    if mine != dossier.plan_hash:
        return ask.blocked(
            f"The plan on record has the hash {short_hash(dossier.plan_hash)}, the one at hand {short_hash(mine)}: "
            "`surefoot run PLAN` registers the change as a revision."
        )
    told = f"Hash {short_hash(mine)}, registered {dossier.registered_at[:16].replace('T', ' ')}"
    # A study takes up runs that another one has trained already: they are the same training, but no news.
    earlier = [r for r in dossier.baseline if "" < r.provenance.started_at < dossier.registered_at]
    if earlier:
        many = f"{len(earlier)} of {count(len(dossier.baseline), 'baseline run')}"
        return ask.noted(
            f"{told}; {many} had been trained before that, and were taken from the record.", *named(earlier)
        )
    return ask.satisfied(f"{told}.", "plan")


def seeds_fixed(dossier: Dossier) -> Check:
    """Whether every run is on a seed that the plan's rule names."""
    ask = Question(predicate="seeds_fixed", text="The seeds are fixed by the plan's rule, not chosen afterwards.")
    rule = dossier.plan.rule
    strays = [run for run in dossier.baseline if not 1 <= run.seed <= max(BLOCK, rule.seeds)]
    if strays:
        many = few([f"run {run.id} has seed {run.seed}" for run in strays])
        return ask.blocked(
            f"{many}, which the rule does not name; run the plan again on its own seeds.", *named(strays)
        )
    exploring, confirming = exploring_seeds(rule.seeds), confirming_seeds(rule.confirm_seeds)
    told = f"Exploring on seeds {_range(exploring)}, confirming on {_range(confirming)}"
    final = dossier.plan.finalise.seeds if dossier.plan.finalise else 0
    more = f", {count(final, 'final seed')} apart from both" if final else ""
    return ask.satisfied(f"{told}{more}.", "plan")


def _range(seeds: tuple[int, ...]) -> str:
    return setting(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


def config_complete(dossier: Dossier) -> Check:
    """Whether the whole config is written down, and is what was trained."""
    ask = Question(predicate="config_complete", text="The whole config is on record, and is the one that was trained.")
    planned = dossier.plan.baseline
    others = [run for run in dossier.baseline if config_hash(run.config) != config_hash(planned)]
    if others:
        change = config_change(planned, others[0].config)
        return ask.blocked(f"Run {others[0].id} was trained with {change}: run the plan again.", *named(others), "plan")
    if not planned:
        return ask.noted("The workload has no settings.", "plan")
    return ask.satisfied(f"{count(len(planned), 'setting')}, hash {short_hash(config_hash(planned))}.", "plan")


def data_known(dossier: Dossier) -> Check:
    """Whether the data are known by a fingerprint, and by one only."""
    ask = Question(predicate="data_known", text="The data are known by their fingerprint, and the runs read no others.")
    print_ = dossier.data_fingerprint
    if not print_:
        return ask.blocked("No fingerprint of the data is on record; `surefoot run PLAN` takes it.")
    # "none" is what a workload says that names no data.
    if print_ == "none":
        return ask.noted("The workload names no data, so a change of them would not be seen.")
    others = [run for run in dossier.baseline if run.provenance.data_fingerprint != print_]
    if others:
        return ask.blocked(
            f"{listing(named(others))} read other data than the study's ({short_hash(print_)}): `surefoot run PLAN` "
            "trains on these.",
            *named(others),
        )
    return ask.satisfied(f"Fingerprint {short_hash(print_)}.", "data")


def code_known(dossier: Dossier) -> Check:
    """Whether the workload's code is known by a fingerprint, and by one only."""
    ask = Question(
        predicate="code_known", text="The training's code is known by its fingerprint, the same for all runs."
    )
    print_ = dossier.code_fingerprint
    if not print_:
        return ask.blocked("No fingerprint of the code is on record; `surefoot run PLAN` takes it.")
    others = [run for run in dossier.baseline if run.provenance.code_fingerprint != print_]
    if others:
        return ask.blocked(
            f"{listing(named(others))} had other code than the study's ({short_hash(print_)}): `surefoot run PLAN` "
            "trains with this.",
            *named(others),
        )
    return ask.satisfied(f"Fingerprint {short_hash(print_)}.", "code")


def environment_known(dossier: Dossier) -> Check:
    """Whether it is on record where the training runs, and with what."""
    ask = Question(predicate="environment_known", text="Python, packages, machine, device and threads are on record.")
    absent = [name for name in ENVIRONMENT if not dossier.environment.get(name)]
    if absent:
        return ask.blocked(f"Not on record: {listing(absent)}; `surefoot run PLAN` looks again.", "environment")
    known = dossier.environment
    return ask.satisfied(
        f"Python {known['python']} on {known['machine']}, {known['device']}, "
        f"{count(int(known['threads']), 'thread') if known['threads'].isdigit() else known['threads']}.",
        "environment",
    )


def commit_known(dossier: Dossier) -> Check:
    """Whether the code is a commit, whole."""
    ask = Question(predicate="commit_known", text="The working folder is at a commit of git, without changes.")
    commit, state = dossier.environment.get("git commit", ""), dossier.environment.get("git state", "")
    if not commit or commit in ("none", "unknown"):
        return ask.noted("The working folder is under no git commit; the fingerprint of the code stands for it.")
    if state != "clean":
        return ask.noted(f"At commit {commit[:12]}, but {state or 'whether files differ from it is not known'}.")
    return ask.satisfied(f"Commit {commit[:12]}, clean.", "environment")


def target_set(dossier: Dossier) -> Check:
    """Whether the primary metric has a target."""
    ask = Question(predicate="target_set", text="The primary metric has a target, set before anything is trained.")
    metric = dossier.plan.metric(dossier.plan.primary)
    if metric.target is None:
        return ask.noted(
            f"{metric.name} has no target, so that rounds end at the ceiling, or with the rounds and hours allowed.",
            "plan",
        )
    bound = "at least" if metric.goal == "maximize" else "at most"
    return ask.satisfied(f"{metric.name} {bound} {number(metric.target)}{unit_of(metric)}.", "plan")


def thresholds_default(dossier: Dossier) -> Check:
    """Whether the gates compare with the thresholds they come with."""
    ask = Question(predicate="thresholds_default", text="The thresholds are the defaults.")
    mine, default = dossier.plan.thresholds, Thresholds()
    changed = [n for n in Thresholds.__slots__ if getattr(mine, n) != getattr(default, n)]
    if changed:
        told = [f"{n} {setting(getattr(mine, n))} (default {setting(getattr(default, n))})" for n in changed]
        return ask.noted(f"The plan sets {listing(told)}.", "plan")
    return ask.satisfied(f"All {len(Thresholds.__slots__)} of them.", "plan")


PLAN_GATE: Final[tuple[Callable[[Dossier], Check], ...]] = (
    plan_registered,
    seeds_fixed,
    config_complete,
    data_known,
    code_known,
    environment_known,
    commit_known,
    target_set,
    thresholds_default,
)
