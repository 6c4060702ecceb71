"""What is proposed lies in the space, honours what the space says, and learns from what is told."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import optuna
import pytest
from scipy import stats
from search_cases import (
    FINITE,
    GAIN,
    LOSS,
    METHODS,
    SPACE,
    loss,
    proposals,
    search_by,
    space_for,
    tell,
    told_complete,
)

from surefoot.errors import PlanError, SpaceError
from surefoot.run import Status, canonical_json
from surefoot.search import METHOD_OPTIONS, check_method
from surefoot.search.axis import axis_of, share_of
from surefoot.search.drawn import whole_number_from
from surefoot.search.methods import filled
from surefoot.search.modelled import MODEL
from surefoot.search.tpe import fading, good_trials
from surefoot.space import Parameter, SearchSpace, boolean, choice, constraint, integer, real
from surefoot.sweep import METHODS as NAMES
from surefoot.sweep import Method

LEARNING = ("tpe", "gp", "cmaes", "nsga2")


@pytest.mark.parametrize("method", METHODS)
def test_every_proposal_is_a_config_of_the_space(method):
    space = space_for(method)
    for number, proposal in enumerate(proposals(search_by(method), 9 if method == "gp" else 30)):
        assert proposal.number == number
        assert space.why_not(proposal.settings) == ""
        assert list(proposal.settings) == [n for n in space.names() if n in proposal.settings]
        assert proposal.origin in (method, "sobol")


@pytest.mark.parametrize("method", METHODS)
def test_a_constraint_on_the_config_is_never_broken(method):
    base = space_for(method)
    space = SearchSpace(parameters=base.parameters, constraints=(constraint("layers * (1 + layers) <= 12"),))
    found = proposals(search_by(method, space=space), 10)
    assert all(p.settings["layers"] <= 3 for p in found)
    assert len({p.settings["layers"] for p in found}) > 1


@pytest.mark.parametrize("method", METHODS)
def test_a_space_that_its_constraints_leave_empty_is_refused_in_one_line(method):
    base = space_for(method)
    space = SearchSpace(parameters=base.parameters, constraints=(constraint("layers >= 9"),))
    search = search_by(method, space=space)
    if method == "grid":
        assert search.ask() is None
        return
    with pytest.raises(SpaceError, match='a space must hold configs that keep "layers >= 9"; none of 10,000'):
        search.ask()


def test_a_grid_is_walked_through_once():
    found = proposals(search_by("grid"), FINITE.grid_size())
    texts = {canonical_json(p.settings) for p in found}
    assert texts == {canonical_json(config) for config in FINITE.grid()}
    assert len(texts) == len(found) == (1 + 4) * 4 * 2
    search = search_by("grid")
    proposals(search, FINITE.grid_size())
    assert search.ask() is None


def test_a_grid_goes_past_what_was_tried():
    first = ({"optimizer": "adam", "layers": 2, "augment": True}, {"optimizer": "sgd", "layers": 3})
    search = search_by("grid", first=first)
    found = proposals(search, FINITE.grid_size())
    assert found[0].settings == {"optimizer": "adam", "layers": 2, "augment": True}
    assert found[1].settings == {"optimizer": "sgd", "momentum": 0.0, "layers": 3, "augment": False}
    assert len({canonical_json(p.settings) for p in found}) == len(found)
    assert search.ask() is None


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_weights_conditions_and_normals_are_honoured(method):
    found = [p.settings for p in proposals(search_by(method), 1200)]
    counts = Counter(str(s["optimizer"]) for s in found)
    assert stats.chisquare([counts["sgd"], counts["adam"], counts["1"]], [300, 600, 300]).pvalue > 1e-3
    assert all(("momentum" in s) == ("nesterov" in s) == (s["optimizer"] == "sgd") for s in found)
    assert all(("strength" in s) == s["augment"] for s in found)
    assert stats.kstest([math.log(s["decay"]) for s in found], stats.norm(-7, 1.5).cdf).pvalue > 1e-3
    assert stats.kstest([math.log10(s["lr"]) for s in found], stats.uniform(-5, 4).cdf).pvalue > 1e-3
    assert stats.chisquare(list(Counter(s["patch"] for s in found).values())).pvalue > 1e-3


def test_a_sobol_sequence_fills_every_interval_of_every_parameter_once():
    space = SearchSpace(parameters=(real("x", 0, 1), real("y", 0, 1), choice("kind", *"abcd"), boolean("on")))
    search = search_by("sobol", space=space)
    found = [search.ask().settings for _ in range(64)]
    for name in ("x", "y"):
        assert sorted(int(s[name] * 64) for s in found) == list(range(64))
    assert set(Counter(s["kind"] for s in found).values()) == {16}
    assert set(Counter(s["on"] for s in found).values()) == {32}


def test_a_config_that_was_tried_is_proposed_anew():
    space = SearchSpace(parameters=(integer("a", 1, 10), integer("b", 1, 10)))
    for method in ("random", "sobol", "tpe"):
        search = search_by(method, space=space)
        found = []
        for number in range(40):
            found.append(canonical_json(search.ask().settings))
            told_complete(search, number, number)
        assert len(set(found)) >= 39  # of 100 configs, in the order in which they are found out to be worse
    search = search_by("random", space=SearchSpace(parameters=(boolean("on"),)))
    assert len([search.ask() for _ in range(10)]) == 10


@pytest.mark.parametrize("method", ["random", "sobol", "tpe", "gp", "cmaes", "nsga2"])
def test_what_a_first_config_leaves_open_is_drawn(method):
    first = ({"optimizer": "sgd", "lr": 0.01}, {"momentum": 0.3, "optimizer": "sgd"}, {"optimizer": "adam"})
    found = proposals(search_by(method, first=first), 4)
    assert [p.origin for p in found[:3]] == ["first"] * 3
    assert found[3].origin != "first"
    for config, proposal in zip(first, found, strict=False):
        assert proposal.settings.items() >= config.items()
        assert SPACE.why_not(proposal.settings) == ""
    assert found[0].settings["momentum"] != found[1].settings["momentum"]


def test_a_first_config_that_does_not_fit_is_refused():
    with pytest.raises(SpaceError, match="layers must be a whole number from 1 to 8; got 9"):
        search_by("tpe", first=({"layers": 9},))
    with pytest.raises(SpaceError, match="learning_rate is not a setting"):
        search_by("tpe", first=({"learning_rate": 0.1},))
    space = SearchSpace(parameters=SPACE.parameters, constraints=(constraint("layers <= 3"),))
    with pytest.raises(SpaceError, match='a config to try first must fit the space: it must keep "layers <= 3"'):
        search_by("tpe", space=space, first=({"layers": 4},))


def test_tpe_proposes_what_optuna_proposes_with_the_same_seed_and_past():
    names = "abcd"
    space = SearchSpace(parameters=(*(real(n, 0.0, 1.0) for n in names), choice("kind", "x", "y", "z")))
    distributions = {n: optuna.distributions.FloatDistribution(0.0, 1.0) for n in names}
    distributions["kind"] = optuna.distributions.CategoricalDistribution((0, 1, 2))
    search, study, level = search_by("tpe", space=space), optuna.create_study(), optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    for number in range(25):
        proposal = search.ask()
        value = sum((proposal.settings[n] - 0.3) ** 2 for n in names) + (proposal.settings["kind"] != "y")
        if proposal.origin == "tpe":
            study.sampler = tpe_of_optuna(whole_number_from(7, number, 0, MODEL))
            trial = study.ask(distributions)
            assert trial.params == {**proposal.settings, "kind": "xyz".index(proposal.settings["kind"])}
            study.tell(trial, value)
        else:
            params = {**proposal.settings, "kind": "xyz".index(proposal.settings["kind"])}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=value))
        told_complete(search, number, value)
    optuna.logging.set_verbosity(level)


@pytest.mark.filterwarnings("ignore")
def tpe_of_optuna(seed):
    """With Optuna's own defaults: those we set ourselves are meant to be the same."""
    return optuna.samplers.TPESampler(n_startup_trials=6, multivariate=True, constant_liar=True, seed=seed)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 24, 25, 26, 100, 1000])
def test_good_trials_and_weights_are_those_of_optuna(count):
    from optuna.samplers._tpe.sampler import default_gamma, default_weights

    assert good_trials(count) == default_gamma(count)
    assert np.array_equal(fading(count), default_weights(count))


@pytest.mark.parametrize(
    ("method", "count", "share"), [("tpe", 60, 0.3), ("cmaes", 80, 0.5), ("nsga2", 90, 0.6), ("gp", 22, 0.4)]
)
def test_a_method_that_learns_gets_nearer_than_chance(method, count, share):
    space = SearchSpace(parameters=(real("x", 0, 1), real("lr", 1e-4, 1, log=True), integer("n", 1, 20)))

    def bowl(s):
        return (s["x"] - 0.3) ** 2 + (math.log10(s["lr"]) + 1) ** 2 / 4 + ((s["n"] - 12) / 20) ** 2

    found = {method: [], "random": []}
    for name, ends in found.items():
        for seed in range(1 if method == "gp" else 4):
            search = search_by(name, space=space, seed=seed)
            answers = []
            for _ in range(count):
                proposal = search.ask()
                answers.append(bowl(proposal.settings))
                told_complete(search, proposal.number, answers[-1])
            # What it proposes in the end, not the best of all: chance finds something good once, too.
            ends.append(float(np.mean(answers[-10:])))
    assert np.mean(found[method]) <= share * np.mean(found["random"])


@pytest.mark.parametrize("goal", [LOSS, GAIN])
@pytest.mark.parametrize("method", ["tpe", "cmaes", "nsga2"])
def test_both_goals_are_searched_in_their_direction(method, goal):
    space = SearchSpace(parameters=(real("x", 0, 1), real("y", 0, 1)))
    search = search_by(method, space=space, targets=(goal,))
    answers = []
    for _ in range(70):
        proposal = search.ask()
        answers.append(proposal.settings["x"] + proposal.settings["y"])
        told_complete(search, proposal.number, answers[-1])
    assert goal.sign * (np.mean(answers[-15:]) - 1) > 0.15


@pytest.mark.parametrize("method", LEARNING)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0])
def test_no_value_that_a_run_can_come_to_stops_a_search(method, value):
    search = search_by(method)
    for number in range(7 if method == "gp" else 12):
        proposal = search.ask()
        assert SPACE.admits(proposal.settings)
        odd = number % 2 == 0
        search.tell(number, values=[value if odd else loss(proposal.settings)], status=Status.COMPLETE)


def ledger_values(search):
    search._source.settle()
    return [(t.state.name, t.values) for t in search._source._ledger.study.get_trials(deepcopy=False)]


@pytest.mark.parametrize(("target", "worst"), [(LOSS, 5.0), (GAIN, 2.0)])
def test_a_diverged_trial_is_told_as_the_worst_value_seen(target, worst):
    search = search_by("tpe", targets=(target,))
    for number, value in enumerate((None, 3.0, 5.0, 2.0, None, 9.0)):
        assert search.ask().number == number
        status = Status.INFEASIBLE if value is None else Status.COMPLETE
        search.tell(number, values=None if value is None else [value], status=status)
        if number == 0:
            assert ledger_values(search) == [("RUNNING", None)]  # nothing to be as bad as, yet
    found = [values[0] for _, values in ledger_values(search)]
    assert found == [3.0, 3.0, 5.0, 2.0, worst, 9.0]


def test_a_pruned_trial_is_told_by_its_last_finite_value():
    for method, state in (("tpe", "PRUNED"), ("gp", "COMPLETE"), ("cmaes", "COMPLETE"), ("nsga2", "COMPLETE")):
        search = search_by(method)
        search.ask()
        search.tell(0, values=None, curve={1: 9.0, 5: 4.0, 3: 7.0, 6: math.nan}, status=Status.PRUNED)
        assert ledger_values(search) == [(state, [4.0])]
        search.ask()
        search.tell(1, values=None, curve={}, status=Status.PRUNED)
        assert ledger_values(search)[1] == ("PRUNED" if method == "tpe" else "FAIL", None)


@pytest.mark.parametrize("method", ["tpe", "nsga2", "gp", "cmaes"])
def test_constraints_on_metrics_turn_a_search_away(method):
    space = SearchSpace(parameters=(real("x", 0, 1), real("y", 0, 1)))
    limit = constraint("latency <= 0.6")
    search = search_by(method, space=space, targets=(GAIN,), constraints=(limit,))
    kept = []
    for number in range(20 if method == "gp" else 90):
        settings = search.ask().settings
        kept.append(settings["x"] <= 0.7)  # a model feels its way along the edge
        if number % 9 == 8:
            search.tell(number, values=None, status=Status.INFEASIBLE)
            continue
        margin = math.inf if number % 9 == 7 else limit.margin({"latency": settings["x"]})
        search.tell(number, values=[settings["x"] + settings["y"]], status=Status.COMPLETE, margins=[margin])
    assert np.mean(kept[-8:]) >= 0.6  # the best gain lies where x is 1


@pytest.mark.parametrize("method", ["tpe", "nsga2", "gp"])
def test_several_targets_are_searched_together(method):
    space = SearchSpace(parameters=(real("x", 0, 1), real("y", 0, 1), choice("kind", "a", "b")))
    search = search_by(method, space=space, targets=(LOSS, GAIN))
    found = []
    for number in range(12 if method == "gp" else 80):
        settings = search.ask().settings
        found.append(settings["y"])
        # The front lies at y = 0, x trades one for the other.
        values = [settings["x"] + settings["y"], settings["x"] - settings["y"]]
        status = Status.INFEASIBLE if number % 9 == 5 else Status.COMPLETE
        search.tell(number, values=values if status is Status.COMPLETE else None, status=status)
    assert np.mean(found[-6:]) < 0.35


def test_cmaes_refuses_several_targets():
    with pytest.raises(PlanError, match="cmaes searches for one metric; got loss, gain"):
        search_by("cmaes", targets=(LOSS, GAIN))


def test_what_a_method_cannot_honour_is_said():
    assert search_by("sobol").notices == search_by("random").notices == ()
    assert search_by("tpe").notices == (
        "tpe takes the choices of optimizer for equally likely: no weights are known to it",
    )
    said = search_by("cmaes", constraints=(constraint("latency <= 3"),)).notices
    assert any(
        "momentum[optimizer=sgd], nesterov[optimizer=sgd], optimizer, augment" in s and "random" in s for s in said
    )
    assert any("constraints" in s for s in said)
    for method in ("gp", "nsga2"):
        assert any("momentum[optimizer=sgd]" in s and "drawn at random" in s for s in search_by(method).notices)
    plain = SearchSpace(parameters=(real("x", 0, 1), integer("n", 1, 3)))
    assert not any(search_by(method, space=plain).notices for method in METHODS if method != "grid")


OTHER_OPTIONS = {
    ("sobol", "scramble"): False,
    ("tpe", "startup"): 3,
    ("tpe", "candidates"): 3,
    ("tpe", "multivariate"): False,
    ("tpe", "group"): False,
    ("tpe", "constant_liar"): False,
    ("gp", "startup"): 6,
    ("gp", "deterministic"): True,
    ("cmaes", "startup"): 5,
    ("cmaes", "population"): 9,
    ("cmaes", "separable"): True,
    ("cmaes", "lr_adapt"): True,
    ("nsga2", "population"): 9,
    ("nsga2", "crossover"): "sbx",
    ("nsga2", "crossover_rate"): 0.1,
    ("nsga2", "swapping_rate"): 0.1,
    ("nsga2", "mutation_rate"): 0.9,
}


def test_every_option_is_tried_below():
    assert set(OTHER_OPTIONS) == {(m, o) for m, options in METHOD_OPTIONS.items() for o in options}


@pytest.mark.parametrize(("method", "option"), OTHER_OPTIONS)
def test_every_option_reaches_its_method(method, option):
    on = {"augment": True}
    pair = (boolean("augment"), real("lr", 1e-4, 1.0, when=on), real("dropout", 0.0, 1.0, when=on))
    kinds = choice("optimizer", 0, 1)
    space = SearchSpace(parameters=(*pair, kinds)) if option == "group" else None

    def answered(**options):
        search = search_by(method, options=options, space=space)
        found = []
        for number in range(9 if method == "gp" else 40):
            found.append(search.ask())
            if number % 3:  # the others run on
                tell(search, number, loss({"layers": 0, **found[-1].settings}))
        return found

    assert answered() == answered()
    assert answered() != answered(**{option: OTHER_OPTIONS[method, option]})


@pytest.mark.parametrize("crossover", METHOD_OPTIONS["nsga2"]["crossover"].choices)
def test_every_crossover_works(crossover):
    search = search_by("nsga2", options={"crossover": crossover})
    assert all(SPACE.admits(p.settings) for p in proposals(search, 30))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("tpe", {"candidate": 3}, 'tpe has no option "candidate" (it has startup, candidates, multivariate, group, '),
        ("tpe", {"startup": 0}, "startup of tpe must be a whole number of at least 1; got 0"),
        ("tpe", {"startup": True}, "startup of tpe must be a whole number of at least 1; got true"),
        ("tpe", {"group": 1}, "group of tpe must be one of true, false; got 1"),
        ("grid", {"startup": 1}, 'grid has no option "startup" (it has none)'),
        ("nsga2", {"crossover": "unifrom"}, "crossover of nsga2 must be one of uniform, blxalpha, sbx, "),
        ("nsga2", {"mutation_rate": 2}, "mutation_rate of nsga2 must be a number from 0 to 1; got 2"),
        ("cmaes", {"population": 2.5}, "population of cmaes must be a whole number of at least 2; got 2.5"),
        ("cmaes", {"separable": True, "lr_adapt": True}, "cmaes adapts its learning rate for whole covariances only"),
        ("bayes", {}, 'method must be one of grid, random, sobol, tpe, gp, cmaes, nsga2; got "bayes"'),
    ],
)
def test_a_mistaken_option_is_named_with_the_nearest_known_one(method, options, message):
    with pytest.raises(PlanError) as error:
        check_method(Method(name=method, options=options))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_misspelt_option_is_corrected():
    with pytest.raises(PlanError, match='Did you mean "candidates"'):
        check_method(Method(name="tpe", options={"candidate": 3}))


def test_every_method_has_its_options_listed():
    assert set(METHOD_OPTIONS) == set(NAMES) == set(METHODS)
    assert filled(Method(name="tpe", options={"startup": 3}))["startup"] == 3


@pytest.mark.parametrize(
    "parameter", [*SPACE.parameters, real("q", 1, 100, log=True, step=3), integer("k", 1, 99, log=True, step=2)]
)
def test_optunas_view_of_a_parameter_leads_back_to_its_values(parameter):
    axis = axis_of(parameter)
    for u in np.linspace(0.001, 0.999, 101):
        value = parameter.value_at(float(u))
        back = axis.value(axis.distribution.to_external_repr(axis.distribution.to_internal_repr(axis.place(value))))
        assert type(back) is type(value)
        assert back == value if not isinstance(value, float) else back == pytest.approx(value, rel=1e-9)


def test_a_share_is_the_inverse_of_the_value_there():
    normal = Parameter(name="n", kind="float", normal=(3.0, 2.0), low=0.0)
    for u in np.linspace(0.01, 0.99, 23):
        assert share_of(normal, normal.value_at(float(u))) == pytest.approx(u, abs=1e-9)
    steps = Parameter(name="s", kind="int", normal=(5.0, 2.0), low=0, high=9)
    assert all(steps.value_at(share_of(steps, k)) == k for k in range(10))


def test_thousands_of_trials_are_taken_in_and_asked_about():
    search, drawn = search_by("tpe"), search_by("sobol")
    for number in range(3_000):
        settings = drawn.ask().settings
        search.recall(number, settings, "tpe")
        told_complete(search, number, loss(settings))
    proposal = search.ask()
    assert (proposal.number, proposal.origin) == (3_000, "tpe")
