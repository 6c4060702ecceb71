"""One parameter's next range: by evidence only, with room left, within limits, on its own grid."""

import math
from dataclasses import replace

import numpy as np
import pytest
from refining_cases import a_sweep, analyzed

from analysis_cases import table
from surefoot.analysis.importance import ImportanceRow
from surefoot.parameter import Parameter
from surefoot.refining.case import natural_limits
from surefoot.refining.line import CARES, range_text
from surefoot.refining.narrowing import next_line
from surefoot.refining.next_levels import following
from surefoot.refining.next_range import padded
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trial

STYLES = ("conservative", "aggressive")


def searched(space, loss, n=60, seed=0, is_weighed=False):
    """An analysis of n configs drawn from the space, with the loss of each and a little noise."""
    rng = np.random.default_rng(seed)
    trials = []
    for i in range(n):
        settings = space.build(lambda p: p.value_at(rng.random()))
        value = loss(settings) + 0.01 * rng.standard_normal()
        trials.append(Trial(name=str(i), state="COMPLETE", settings=settings, value=float(value), origin="random"))
    return analyzed(table(trials, space=space), is_weighed=is_weighed)


def line(analysis, key, style="aggressive", barred="", limits=None):
    parameter = next(p for p in analysis.view.table.space.parameters if p.key == key)
    return next_line(analysis, parameter, style=style, barred=barred, limits=limits)


def space_of(*parameters):
    return SearchSpace(parameters=parameters)


def valley(low, high, at):
    """A space of one number and junk, and a loss that is least at that place of the number."""
    return space_of(real("x", low, high), real("junk", 0.0, 1.0)), lambda s: abs(s["x"] - at) / (high - low)


# --- narrowing by elites ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_a_range_is_narrowed_to_where_elites_crowd_with_room_and_the_least_share(style):
    space, loss = valley(0.0, 10.0, 4.0)
    found = line(searched(space, loss), "x", style)
    assert (found.action, found.rule) == ("narrowed", "refine.elites")
    assert 0 <= found.after.low < 3.5 and 4.5 < found.after.high <= 10
    assert CARES[style].least - 1e-9 <= found.share < 0.95
    assert found.p < 0.05 and found.n == 60
    assert found.share == pytest.approx((found.after.high - found.after.low) / 10)


def test_the_conservative_style_leaves_more_room():
    space, loss = valley(0.0, 10.0, 4.0)
    analysis = searched(space, loss)
    careful, bold = (line(analysis, "x", style) for style in STYLES)
    assert careful.after.low <= bold.after.low and bold.after.high <= careful.after.high


@pytest.mark.parametrize("seed", range(4))
def test_junk_is_kept_and_said_not_to_be_shown(seed):
    space, loss = valley(0.0, 10.0, 4.0)
    found = line(searched(space, loss, seed=seed), "junk", "conservative")
    assert (found.action, found.after) == ("kept", found.before)
    assert found.rule in ("refine.nothing_shown", "refine.wide")


def test_the_best_trial_and_the_one_that_fresh_seeds_chose_stay_in_the_range():
    space, loss = valley(0.0, 10.0, 4.0)
    made = searched(space, loss).view.table
    worst = max(made.trials, key=lambda t: t.value)
    analysis = analyzed(table(made.trials, space=space, fresh={worst.name: (0.1, 0.2, 0.3)}))
    found = line(analysis, "x")
    assert found.after.low <= worst.settings["x"] <= found.after.high


@pytest.mark.parametrize("n", [0, 1, 2, 19])
def test_nothing_is_narrowed_from_fewer_than_twenty_trials(n):
    space, loss = valley(0.0, 10.0, 9.99)
    found = line(searched(space, loss, n=n), "x")
    assert (found.action, found.rule, found.n) == ("kept", "refine.few_trials", n)


def test_what_failed_or_still_runs_does_not_count_towards_the_twenty():
    space, loss = valley(0.0, 10.0, 4.0)
    made = searched(space, loss, n=19).view.table
    lost = [Trial(name=f"f{i}", state="FAILED", settings={"x": 1.0, "junk": 0.5}) for i in range(30)]
    assert line(analyzed(table([*made.trials, *lost], space=space)), "x").rule == "refine.few_trials"


def test_no_range_is_drawn_around_fewer_than_five_elites():
    """Twenty trials, sixteen of which were ended early: a quarter of four is one elite."""
    space, loss = valley(0.0, 10.0, 4.0)
    made = searched(space, loss, n=60).view.table.trials
    trials = [t if i < 16 else Trial(name=t.name, state="PRUNED", settings=t.settings) for i, t in enumerate(made)]
    assert line(analyzed(table(trials, space=space)), "x").action == "kept"


def test_where_all_values_are_equal_nothing_changes():
    space, _ = valley(0.0, 10.0, 4.0)
    rng = np.random.default_rng(0)
    trials = [
        Trial(name=str(i), state="COMPLETE", settings={"x": float(rng.uniform(0, 10)), "junk": 0.5}, value=1.0)
        for i in range(40)
    ]
    analysis = analyzed(table(trials, space=space))
    assert {line(analysis, key).action for key in ("x", "junk")} == {"kept"}


def test_nothing_is_concluded_where_the_analysis_bars_it():
    space, loss = valley(0.0, 10.0, 4.0)
    assert line(searched(space, loss), "x", barred="within luck").rule == "refine.barred"


def test_a_scientific_parameter_is_never_touched_nor_what_is_tuned_for_its_values_alike():
    arms = choice("arm", "a", "b", "c", role="scientific")
    only = real("own", 0.0, 10.0, when={"arm": "a"})
    space = space_of(arms, real("x", 0.0, 10.0), only, choice("kind", "u", "v", "w"))

    def loss(s):
        return 0.3 * (s["arm"] != "a") + abs(s["x"] - 4) / 2 + abs(s.get("own", 7) - 4) + (s["kind"] == "w")

    analysis = searched(space, loss, n=200)
    assert line(analysis, "arm").rule == "refine.scientific"
    assert line(analysis, "x").action == line(analysis, "kind").action == "kept"
    assert line(analysis, "x").rule == "refine.shared"
    assert line(analysis, only.key).action == "narrowed"


def test_what_a_sampler_crowded_is_no_evidence_where_trials_drawn_without_it_disagree():
    """The sampler tried x near 8 for a reason that is not x; drawn at random, the best lie near 2."""
    rng = np.random.default_rng(3)
    trials = []
    for i in range(40):
        x = float(rng.uniform(0, 10))
        trials.append(Trial(name=f"r{i}", state="COMPLETE", settings={"x": x}, value=1 + abs(x - 2), origin="random"))
    for i in range(60):
        x = float(rng.uniform(7, 9) if i % 2 else rng.uniform(0, 10))
        value = 0.1 + 0.01 * rng.random() if i % 2 else 5.0
        trials.append(Trial(name=f"t{i}", state="COMPLETE", settings={"x": x}, value=value, origin="tpe"))
    space = space_of(real("x", 0.0, 10.0))
    analysis = analyzed(table(trials, space=space))
    found = line(analysis, "x")
    assert (found.action, found.rule) == ("kept", "refine.sampler")
    assert "drawn without the sampler lie elsewhere" in found.reason
    agreeing = [t if t.origin == "tpe" else Trial(name=t.name, state="COMPLETE", settings=t.settings,
                value=1 + abs(t.settings["x"] - 8), origin="random") for t in trials]  # fmt: skip
    assert line(analyzed(table(agreeing, space=space)), "x").action == "narrowed"


# --- scales and grids ------------------------------------------------------------------------------------------------


def test_a_log_scale_is_narrowed_by_decades_and_bounds_have_two_digits():
    space = space_of(real("lr", 1e-5, 1e-1, log=True))
    found = line(searched(space, lambda s: abs(math.log10(s["lr"]) + 3)), "lr")
    assert found.action == "narrowed" and 1e-5 < found.after.low < 1e-3 < found.after.high < 1e-1
    for bound in (found.after.low, found.after.high):
        assert bound == float(f"{bound:.1e}")
    assert found.share == pytest.approx(math.log(found.after.high / found.after.low) / math.log(1e4))


@pytest.mark.parametrize(
    "parameter",
    [
        integer("x", 1, 40),
        integer("x", 3, 48, step=5),
        integer("x", 1, 1024, log=True),
        real("x", 0.1, 4.0, step=0.3),
        real("x", 1000.01, 1000.05),
        real("x", -7.0, 3.0),
    ],
)
@pytest.mark.parametrize("style", STYLES)
def test_narrowed_bounds_lie_within_the_old_ones_and_on_the_old_grid(parameter, style):
    place = parameter.value_at(0.4)

    def loss(s):
        distance = abs(math.log(s["x"] / place)) if parameter.log else abs(s["x"] - place)
        return 100 * distance / (parameter.high - parameter.low)

    found = line(searched(space_of(parameter), loss, n=80), "x", style)
    assert found.action == "narrowed"
    assert parameter.low <= found.after.low < found.after.high <= parameter.high
    if parameter.kind == "int":
        assert isinstance(found.after.low, int) and isinstance(found.after.high, int)
    if parameter.level_count:
        assert set(found.after.levels()) <= set(parameter.levels())
    assert not list(found.after.mistakes())


def test_a_normal_distribution_is_cut_off_and_stays_normal():
    normal = Parameter(name="x", kind="float", normal=(0.0, 1.0))
    found = line(searched(space_of(normal), lambda s: abs(s["x"] - 1.5), n=100), "x")
    assert found.action == "narrowed" and found.after.normal == (0.0, 1.0)
    assert found.after.low < 1.5 and 0 < found.share < 0.9
    assert not list(found.after.mistakes())


# --- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_an_edge_that_good_trials_press_against_is_moved_by_half_the_range(style):
    space = space_of(real("x", 0.0, 10.0))
    found = line(searched(space, lambda s: -s["x"], n=120), "x", style)
    assert found.after.high == 15.0 and "refine.boundary" in found.rule
    assert found.action in ("widened", "moved")


def test_no_edge_moves_beyond_what_the_workload_allows():
    space = space_of(real("x", 0.0, 10.0))
    analysis = searched(space, lambda s: -s["x"], n=120)
    assert line(analysis, "x", limits=space_of(real("x", 0.0, 11.3))).after.high == 11.3
    assert line(analysis, "x", limits=space_of(real("x", 0.0))).after.high == 15.0
    for limits in (space, space_of(choice("x", 0.0, 10.0)), space_of(real("other", 0.0, 1.0))):
        found = line(analysis, "x", limits=limits)
        assert found.after.high == 10.0


def test_whole_numbers_widened_to_a_limit_stay_on_their_grid():
    space = space_of(integer("x", 2, 20, step=3))
    analysis = searched(space, lambda s: -s["x"], n=150)
    found = line(analysis, "x", limits=space_of(integer("x", 1, 25)))
    assert found.after.high == 23 and set(found.after.levels()) & set(space.parameters[0].levels())
    down = searched(space_of(integer("x", 5, 20, step=3)), lambda s: s["x"], n=150)
    assert line(down, "x", limits=space_of(integer("x", 1, 25))).after.low == 2


@pytest.mark.parametrize(
    ("parameter", "beyond"),
    [
        (integer("layers", 2, 12), (1, 12)),
        (real("dropout", 0.1, 0.5), (0.0, 0.5)),
        (real("lr", 0.01, 0.1), (0.005, 0.1)),
        (real("lr", 1e-3, 1e-1, log=True), (1e-4, 1e-1)),
    ],
)
def test_a_low_edge_stops_at_what_nature_allows(parameter, beyond):
    found = line(searched(space_of(parameter), lambda s: s[parameter.name] / parameter.high, n=150), parameter.name)
    assert found.after.low == pytest.approx(beyond[0]) and found.after.high <= beyond[1]


def test_a_share_goes_half_the_way_to_one_and_never_over_it():
    space = space_of(real("momentum", 0.5, 0.9))
    found = line(searched(space, lambda s: -10 * s["momentum"], n=150), "momentum")
    assert 0.9 < found.after.high <= 0.95


def test_natural_limits_are_read_from_the_range_itself():
    assert natural_limits(real("bias", -1.0, 1.0)) == (-math.inf, math.inf)
    assert natural_limits(integer("layers", 1, 4)) == (1.0, math.inf)
    assert natural_limits(integer("skip", 0, 4)) == (0.0, math.inf)
    assert natural_limits(real("dropout", 0.0, 0.5)) == (0.0, 1.0)
    assert natural_limits(Parameter(name="x", kind="float", normal=(0.0, 1.0))) == (-math.inf, math.inf)


# --- levels ----------------------------------------------------------------------------------------------------------


def test_a_level_that_elites_avoid_is_dropped_and_the_others_stay_as_they_were():
    space = space_of(choice("kind", "a", "b", "c", "d"))
    found = line(searched(space, lambda s: {"a": 0, "b": 0, "c": 0, "d": 3}[s["kind"]], n=80), "kind", "conservative")
    assert (found.action, found.rule, found.after.choices) == ("narrowed", "refine.levels", ("a", "b", "c"))
    assert found.share == pytest.approx(3 / 4) and "d (0 of" in found.reason


def test_two_levels_always_stay_and_a_choice_of_two_is_never_fixed():
    kinds = searched(space_of(choice("kind", "a", "b", "c", "d")), lambda s: float(s["kind"] != "a"), n=120)
    found = line(kinds, "kind")
    assert len(found.after.choices) == 2 and "a" in found.after.choices
    space = space_of(boolean("flag"), real("x", 0.0, 1.0))
    flag = line(searched(space, lambda s: 2 * s["flag"] + s["x"], is_weighed=True), "flag")
    assert (flag.action, flag.rule) == ("kept", "refine.matters") and "paired seeds" in flag.reason


def test_a_level_tried_fewer_than_ten_times_stays():
    space = space_of(choice("kind", "a", "b", "rare", weights=(9, 9, 1)))
    analysis = searched(space, lambda s: float(s["kind"] == "rare"), n=80)
    tried = sum(t.settings["kind"] == "rare" for t in analysis.view.trials)
    assert 0 < tried < 10
    assert "rare" in line(analysis, "kind").after.choices


def test_the_level_of_the_best_trial_is_never_dropped():
    space = space_of(choice("kind", "a", "b", "c"))
    made = searched(space, lambda s: 3 * (s["kind"] == "c"), n=90).view.table.trials
    lucky = Trial(name="lucky", state="COMPLETE", settings={"kind": "c"}, value=-9.0)
    assert "c" not in line(analyzed(table(made, space=space)), "kind").after.choices
    assert "c" in line(analyzed(table([*made, lucky], space=space)), "kind").after.choices


def test_a_row_of_numbers_loses_levels_at_its_ends_only():
    sizes = choice("size", 16, 32, 64, 128)
    middle = line(searched(space_of(sizes), lambda s: {16: 0, 32: 0, 64: 3, 128: 0}[s["size"]], n=200), "size")
    assert middle.after.choices[:4] == (16, 32, 64, 128)
    end = line(searched(space_of(sizes), lambda s: {16: 0, 32: 0, 64: 3, 128: 3}[s["size"]], n=200), "size")
    assert [v for v in end.after.choices if v in (64, 128)] == []


def test_weights_of_the_levels_left_sum_to_one_and_the_share_is_theirs():
    space = space_of(choice("kind", "a", "b", "c", weights=(1, 2, 1)))
    found = line(searched(space, lambda s: 3 * (s["kind"] == "c"), n=120), "kind")
    assert found.after.weights == pytest.approx((1 / 3, 2 / 3)) and found.share == pytest.approx(0.75)


def test_levels_that_only_the_sampler_avoided_stay():
    rng = np.random.default_rng(0)
    kinds = ["a", "b", "c"]
    trials = [
        Trial(name=f"r{i}", state="COMPLETE", settings={"kind": kinds[i % 3]}, origin="random",
              value=(0.5 if kinds[i % 3] == "c" else 0.6) + 0.01 * rng.random()) for i in range(30)
    ] + [
        Trial(name=f"t{i}", state="COMPLETE", settings={"kind": kinds[i % 3]}, origin="tpe",
              value=(0.9 if kinds[i % 3] == "c" else 0.1) + 0.01 * rng.random()) for i in range(60)
    ]  # fmt: skip
    found = line(analyzed(table(trials, space=space_of(choice("kind", *kinds)))), "kind")
    assert found.action == "kept"


def test_a_row_of_numbers_gains_the_next_one_beyond_an_edge_that_is_hit():
    sizes = choice("size", 8, 16, 32, 64)
    analysis = searched(space_of(sizes), lambda s: -math.log2(s["size"]), n=200)
    found = line(analysis, "size")
    assert found.after.choices[-2:] == (64, 128) and "128 is new" in found.reason
    assert 128 not in line(analysis, "size", limits=space_of(integer("size", 1, 100))).after.choices


@pytest.mark.parametrize(
    ("levels", "side", "next_one"),
    [
        ((16, 32, 64), "high", 128),
        ((16, 32, 64), "low", 8),
        ((1, 2, 4), "low", None),
        ((10, 20, 30), "high", 40),
        ((0.001, 0.01, 0.1), "low", 0.0001),
        ((1, 2, 5), "high", None),
        ((16, 32), "high", None),
    ],
)
def test_the_next_number_of_a_row_follows_its_pattern(levels, side, next_one):
    assert following(levels, side) == (pytest.approx(next_one) if next_one is not None else None)


# --- dead parameters -------------------------------------------------------------------------------------------------


DEAD = ImportanceRow(
    key="dead", condition="", n=300, share=0.001, interval=(0.0, 0.01), sd=0.003, null=0.02, p=0.6, is_real=False,
    ped=0.0, ped_interval=(0.0, 0.1), ped_sd=0.1, ped_p=0.5, flags=("dead",),
)  # fmt: skip


def with_dead(*others, loss=lambda s: s["x"]):
    """An analysis in which the importances call one parameter dead."""
    space = space_of(real("x", 0.0, 1.0), choice("dead", "u", "v"), *others)
    analysis = searched(space, loss)
    return replace(analysis, importance=replace(analysis.importance, rows=(DEAD,)))


def test_a_dead_parameter_is_fixed_as_in_the_best_trial_by_the_aggressive_style_alone():
    analysis = with_dead()
    found = line(analysis, "dead")
    best = analysis.view.trials[int(np.argmin(analysis.view.values))]
    assert (found.action, found.rule, found.value) == ("fixed", "refine.dead", best.settings["dead"])
    assert found.after is None and "at most 1 % of the variance over 300 trials" in found.reason
    careful = line(analysis, "dead", "conservative")
    assert (careful.action, careful.rule) == ("kept", "refine.dead_kept")


def test_the_importances_alone_call_it_dead_on_a_hundred_trials_and_more():
    space = space_of(real("x", 0.0, 1.0), choice("dead", "u", "v"))
    few = searched(space, lambda s: 30 * s["x"], n=40, is_weighed=True)
    assert line(few, "dead").action == "kept"


@pytest.mark.parametrize("other", [real("y", 0.0, 1.0, when={"dead": "u"}), choice("arm", "a", "b", role="scientific")])
def test_a_dead_parameter_that_others_hang_on_or_that_is_tuned_for_several_is_kept(other):
    assert line(with_dead(other), "dead").rule == "refine.dead_kept"


@pytest.mark.parametrize(("value", "action"), [("u", "fixed"), ("v", "kept")])
def test_a_sweep_keeps_a_dead_parameter_where_fixing_it_would_give_up_most_of_its_trials(value, action):
    """Two trials of three have u; what is fixed otherwise cannot be carried over into the next sweep."""
    space = space_of(real("x", 0.0, 1.0), choice("dead", "u", "v", weights=(2, 1)))
    made = searched(space, lambda s: s["x"] - 5 * (s["dead"] == value)).view.table
    analysis = analyzed(replace(made, sweep=a_sweep(space)))
    found = line(replace(analysis, importance=replace(analysis.importance, rows=(DEAD,))), "dead")
    assert found.action == action
    assert (found.rule, "could be carried over" in found.reason) == (
        ("refine.dead", False) if action == "fixed" else ("refine.dead_kept", True)
    )


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((0.000476123, 0.00192841, True), "0.00048 … 0.0019"),
        ((0.00324398, 0.656367, False), "0 … 0.66"),
        ((1000.0123, 1000.0456, False), "1,000.012 … 1,000.046"),
        ((3, 17, False), "3 … 17"),
        ((120.4, 990.6, False), "120 … 991"),
        ((-5.25, 3.1, False), "−5.2 … 3.1"),
        ((2.0, 2.0, False), "2 … 2"),
    ],
)
def test_a_range_is_told_with_the_digits_it_deserves(ends, text):
    low, high, is_log = ends
    assert range_text(low, high, is_log=is_log) == text


@pytest.mark.parametrize("ends", [(0.0, 0.0), (4.0, 5.0), (9.9, 10.0), (0.0, 10.0), (2.0, 8.0)])
@pytest.mark.parametrize("style", STYLES)
def test_room_leaves_the_least_share_within_the_old_range(ends, style):
    care = CARES[style]
    low, high = padded(*ends, (0.0, 10.0), padding=care.padding, least=care.least)
    assert 0 <= low <= ends[0] and ends[1] <= high <= 10
    assert high - low >= 10 * care.least - 1e-9
