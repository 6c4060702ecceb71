"""A table of trials: which columns are settings, what they take, when they exist, and how each trial ended."""

import csv
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from table_cases import RECORDS, needs_records, shape

from surefoot.errors import RecordError
from surefoot.records.table import read_trials
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trivial

CNN, CONTEXT = "encoder_type is cnn", "encoder_type is context"
ARC = {
    "encoder_type": (["cnn", "context"], ""),
    "lr": ("float log", ""),
    "batch_size": ([8, 16, 32, 64], ""),
    "weight_decay": ("float log", ""),
    "label_smoothing": ("float", ""),
    "embed_dim": ([128, 256, 384, 512, 768], ""),
    "use_scheduler": ("bool", ""),
    "use_cosine": ("bool", ""),
    "demo_agg": (["flatten", "mean"], CNN),
    "width_mult": ("float", CNN),
    "depth": ("int", CNN),
    "mlp_hidden": ([256, 512, 1024, 2048], CNN),
    "use_coords": ("bool", CNN),
    "temperature": ("float", "use_cosine is true"),
    "ctx_d_model": ([128, 256, 384, 512], CONTEXT),
    "ctx_n_head": ([4, 8, 16], CONTEXT),
    "ctx_pixel_layers": ("int", CONTEXT),
    "ctx_grid_layers": ("int", CONTEXT),
    "ctx_dropout": ("float", CONTEXT),
}


def notice(table, words):
    (found,) = [text for text in table.notices if words in text]
    return found


# --- real tables -----------------------------------------------------------------------------------------------------


@needs_records
def test_the_arc_sweep_comes_out_with_its_parameters_their_kinds_and_their_conditions():
    table = read_trials(RECORDS / "arc_sweep_v2.csv", value="val_acc", goal="maximize", rows=20)
    assert shape(table) == ARC
    depth = next(p for p in table.space.parameters if p.name == "depth")
    assert (depth.low, depth.high) == (2, 6)
    assert len(table.complete) == len(table.trials) == 20
    assert [t.name for t in table.trials][:3] == ["3", "4", "5"] and table.is_in_order and table.is_inferred
    assert max(t.value for t in table.trials) == 0.3625 and min(t.value for t in table.trials) == 0.1640625
    assert table.trials[0].settings["depth"] == 3 and "ctx_dropout" not in table.trials[0].settings
    assert {"best_epoch", "train_acc", "train_loss", "val_acc_S3", "val_loss"} <= set(table.trials[0].measured)
    assert table.base == {} and not table.trials[0].budget
    table.space.check()
    assert all(table.space.admits(t.settings) for t in table.trials)


@needs_records
def test_all_of_the_arc_sweep_has_the_same_conditions():
    table = read_trials(RECORDS / "arc_sweep_v2.csv", value="val_acc", goal="maximize")
    assert {name: when for name, (_, when) in shape(table).items()} == {n: when for n, (_, when) in ARC.items()}
    assert len(table.trials) == 26


@needs_records
def test_the_microbead_search_comes_out_with_its_four_settings_and_in_no_known_order():
    path = RECORDS / "microbead_search" / "search_results.csv"
    table = read_trials(path, value="best_val_jacard", goal="maximize")
    assert shape(table) == {
        "learning_rate": ([5e-05, 0.0001, 0.0002], ""),
        "batch_size": ([4, 8], ""),
        "dropout": ([0.0, 0.1, 0.2, 0.3], ""),
        "loss_type": (["combined", "dice", "focal"], ""),
    }
    assert not table.is_in_order
    first = table.trials[0]
    assert first.measured == {"best_epoch": 52, "final_val_jacard": 0.14031872153282166}
    assert first.budget == {"total_epochs": 72}
    assert first.name.endswith("model_lr0.0002_bs4_dr0.3_combined.hdf5") or first.name == "1"
    assert "sorted by their value" in notice(table, "order")


# --- what tools write ------------------------------------------------------------------------------------------------


def test_optunas_own_table_comes_out_exactly(desk):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        x = trial.suggest_float("loss_weight", 1e-4, 1.0, log=True)
        if trial.suggest_categorical("opt", ["sgd", "adam"]) == "sgd":
            trial.suggest_float("momentum", 0.0, 1.0)
        trial.suggest_int("best_of", 1, 4)
        trial.set_user_attr("size", trial.number)
        if trial.number % 7 == 3:
            trial.report(9.0, 1)
            raise optuna.TrialPruned
        if trial.number % 7 == 5:
            raise ValueError
        return x

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(objective, n_trials=40, catch=ValueError)
    path = desk.folder / "optuna.csv"
    study.trials_dataframe().to_csv(path)
    table = desk.read(path, value="value")
    states = {"COMPLETE": "COMPLETE", "PRUNED": "PRUNED", "FAIL": "FAILED"}
    for trial, known in zip(table.trials, study.trials, strict=True):
        assert trial.name == str(known.number)
        assert trial.settings == known.params
        assert trial.state == states[known.state.name]
        assert trial.value == (known.value if trial.state == "COMPLETE" else None)
        assert trial.measured == {"size": known.number}
        assert trial.seconds == pytest.approx(known.duration.total_seconds(), abs=1e-6)
    assert table.trials[3].last == (None, 9.0)
    assert shape(table)["momentum"] == ("float", "opt is sgd")
    assert set(shape(table)) == {"loss_weight", "opt", "momentum", "best_of"}


def test_an_export_of_wandb_keeps_its_own_columns_out_of_the_settings(desk):
    table = desk.read(
        "Name,State,Notes,User,Tags,Created,Runtime,Sweep,batch_size,lr,_step,_runtime,epoch,train_loss,val/acc\n"
        "fair-sun-2,finished,-,me,,2026-01-02T00:00:00.000Z,63,abc,32,0.01,9,62,10,0.5,0.8\n"
        "old-moon-1,crashed,-,me,,2026-01-01T00:00:00.000Z,61,abc,64,0.02,9,62,4,0.6,\n"
        "new-sea-3,running,-,me,,2026-01-03T00:00:00.000Z,1,abc,32,0.03,9,62,1,0.7,0.1\n",
        value="val/acc",
        goal="maximize",
    )
    assert set(shape(table)) == {"batch_size", "lr"}
    assert [(t.name, t.state, t.seconds) for t in table.trials] == [
        ("old-moon-1", "FAILED", 61.0),
        ("fair-sun-2", "COMPLETE", 63.0),
        ("new-sea-3", "RUNNING", 1.0),
    ]
    assert table.trials[1].budget == {"epoch": 10.0, "_step": 9.0}


def test_prefixes_of_mlflow_and_ray_tell_settings_from_results(desk):
    mlflow = desk.read(
        "run_id,status,params.lr,params.mode,metrics.loss,metrics.params_seen,tags.mlflow.user\n"
        "a1,FINISHED,0.1,fast,0.5,3,me\nb2,FAILED,0.2,slow,,4,me\n",
        value="loss",
    )
    assert set(shape(mlflow)) == {"lr", "mode"}
    assert [(t.name, t.state) for t in mlflow.trials] == [("a1", "COMPLETE"), ("b2", "FAILED")]
    ray = desk.read(
        "trial_id,loss,time_total_s,training_iteration,config/lr,config/loss\nx,1,10,3,0.1,mse\ny,2,20,4,0.2,mae\n",
        value="loss",
    )
    assert set(shape(ray)) == {"lr", "config/loss"}
    assert [(t.seconds, t.budget) for t in ray.trials] == [
        (10.0, {"training_iteration": 3.0}),
        (20.0, {"training_iteration": 4.0}),
    ]


# --- roles by names --------------------------------------------------------------------------------------------------

ROWS = 12


def guessed(desk, names, value="val_acc", texts=()):
    """Name -> whether a column of that name is read as a parameter, beside a value."""
    rng = random.Random(1)
    rows = [
        {value: rng.random(), **{n: rng.choice(["u", "v", "w"]) if n in texts else rng.random() for n in names}}
        for _ in range(ROWS)
    ]
    table = desk.read(rows, value=value, goal="maximize")
    return {name for name in names if name in table.space.names()}


SETTINGS = """
lr final_lr train_batch_size val_split loss_weight label_smoothing max_depth min_samples_leaf num_layers warmup_steps
error_threshold momentum learningRate n_estimators trainFraction 学習率
"""
RESULTS = """
train_loss trainAcc val_f1 test_accuracy best_epoch final_val_acc val_acc_top5 f1 auc mean_test_score seconds wall_time
epochs total_steps n_params best_score last_error regret flops finalValAcc
"""


def test_names_tell_results_from_settings(desk):
    assert guessed(desk, [*SETTINGS.split(), *RESULTS.split()]) == set(SETTINGS.split())


def test_a_column_of_words_is_a_setting_although_its_name_is_a_metrics(desk):
    assert guessed(desk, ["loss", "criterion", "score"], texts=("loss", "criterion")) == {"loss", "criterion"}


def test_what_is_asked_comes_before_what_is_guessed(desk):
    rows = [{"loss": i * 0.37 % 1, "epochs": 1 + i % 3, "seed": i, "width": i % 4, "odd": i % 5} for i in range(20)]
    assert set(shape(desk.read(rows))) == {"width", "odd"}
    assert set(shape(desk.read(rows, parameters=["epochs", "seed"]))) == {"epochs", "seed"}
    table = desk.read(rows, results=["odd"])
    assert set(shape(table)) == {"width"} and table.trials[3].measured == {"odd": 3.0}
    said = notice(desk.read(rows), "read as parameters")
    assert said == ("read as parameters: width and odd; as results: epochs; say --parameters or --results to change it")
    assert "--parameters" in notice(desk.read(rows), "seed is taken as the seed of a run")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"parameters": ["wdth"]}, "--parameters must name a column of the table (loss, width and odd); got wdth. Did"),
        ({"results": ["nothing"]}, "--results must name a column"),
        ({"parameters": ["loss"]}, "loss is the value; it cannot be a parameter as well"),
        ({"parameters": ["odd"], "results": ["odd"]}, "odd cannot be both in --parameters and in --results"),
        ({"value": "los"}, "--value must name a column of the table (loss, width and odd); got los. Did you mean"),
    ],
)
def test_a_name_that_no_column_has_is_one_line(desk, said, words):
    rows = [{"loss": i * 0.37 % 1, "width": i % 4, "odd": i % 5} for i in range(20)]
    with pytest.raises(RecordError) as error:
        desk.read(rows, **said)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (lambda y: y, "loss = alias"),
        (lambda y: -y, "loss = −alias"),
        (lambda y: 100 * y, "loss = 0.01 × alias"),
        (lambda y: 1 - y, "loss = 1 − alias"),
        (lambda y: 100 - 100 * y, "loss = 1 − 0.01 × alias"),
    ],
)
def test_the_value_under_another_name_is_no_parameter(desk, other, told):
    rows = [{"loss": (y := i * 0.37 % 1), "alias": other(y), "width": i % 4} for i in range(20)]
    table = desk.read(rows)
    assert set(shape(table)) == {"width"}
    assert told in notice(table, "another name")
    with pytest.raises(RecordError, match="alias is the value under another name"):
        desk.read(rows, parameters=["alias"])


def test_a_setting_with_an_exactly_linear_effect_stays_a_setting(desk):
    rows = [{"loss": 3 + 2 * x, "x": x} for x in range(20)]
    assert set(shape(desk.read(rows))) == {"x"}
    rows = [{"loss": 2 * x, "x": x} for x in range(20)]
    assert set(shape(desk.read(rows))) == {"x"}


def test_text_of_its_own_in_nearly_every_row_is_no_parameter(desk):
    rows = [{"loss": i * 0.37 % 1, "tagline": f"note {i}", "width": i % 4} for i in range(20)]
    table = desk.read(rows)
    assert set(shape(table)) == {"width"}
    assert "tagline holds another text in nearly every row, so it is no parameter" in table.notices
    assert table.trials[3].name == "note 3"


# --- kinds -----------------------------------------------------------------------------------------------------------


def column(desk, values, **said):
    """The column `c` as a parameter, beside a value."""
    rng = random.Random(2)
    table = desk.read([{"loss": rng.random(), "c": value} for value in values], **said)
    return shape(table).get("c", (None, None))[0], table


def test_true_and_false_in_any_case_are_a_boolean(desk):
    kind, table = column(desk, ["true", "FALSE", "False", "True"])
    assert kind == "bool" and [t.settings["c"] for t in table.trials] == [True, False, False, True]


def test_whole_numbers_are_whole_however_they_are_written(desk):
    kind, table = column(desk, ["1.0", "2", "3.0", "4", "2e0", "1"])
    assert kind == "int" and table.trials[4].settings == {"c": 2}
    assert type(table.trials[4].settings["c"]) is int


def test_few_numbers_that_come_again_are_a_choice_and_a_row_of_whole_ones_a_range(desk):
    assert column(desk, [16, 32, 64, 128] * 3)[0] == [16, 32, 64, 128]
    assert column(desk, [1, 2, 4, 5] * 3)[0] == "int"
    assert column(desk, [0.1, 0.2, 0.5] * 4)[0] == [0.1, 0.2, 0.5]
    assert column(desk, [0.1 + i for i in range(12)])[0] == "float"
    assert column(desk, [17, 90, 411, 800])[0] == "int"


def test_a_scale_is_logarithmic_where_two_decades_lie_evenly_in_logarithms(desk):
    rng = random.Random(3)
    assert column(desk, [10 ** rng.uniform(-5, -1) for _ in range(30)])[0] == "float log"
    assert column(desk, [rng.uniform(1e-5, 1e-1) for _ in range(30)])[0] == "float"
    assert column(desk, [10 ** rng.uniform(-2, -1) for _ in range(30)])[0] == "float"
    assert column(desk, [-(10 ** rng.uniform(-5, -1)) for _ in range(30)])[0] == "float"
    _, table = column(desk, [10 ** rng.uniform(-5, -1) for _ in range(30)])
    assert notice(table, "logarithmic").endswith("lie more evenly there: c")


def test_numbers_and_words_in_one_column_are_a_choice_and_it_is_said(desk):
    kind, table = column(desk, [1, 2, "auto", 1.0, "auto", 2] * 2)
    assert kind == [1, 2, "auto"]
    assert "c holds numbers and words, so it is taken as a choice" in table.notices


def test_a_setting_of_one_value_stands_in_the_base_and_it_is_said(desk):
    kind, table = column(desk, ["adam"] * 5)
    assert kind is None and table.base == {"c": "adam"} and table.trials[0].settings == {}
    assert "never varied, so nothing is said of them: c adam" in table.notices


def test_a_thousand_categories_are_kept_and_noticed(desk):
    kind, table = column(desk, [f"k{i % 1000}" for i in range(3000)])
    assert len(kind) == 1000
    assert "c has 1,000 different values" in notice(table, "1,000") and "--results" in notice(table, "1,000")


def test_infinite_settings_are_taken_as_empty_and_it_is_said(desk):
    _, table = column(desk, ["1.5", "inf", "2.5", "nan", "3.5"])
    assert ["c" in t.settings for t in table.trials] == [True, False, True, False, True]
    assert "c is infinite in 1 row, which is taken as empty" in table.notices


# --- conditions ------------------------------------------------------------------------------------------------------


def test_conditions_may_rest_on_conditional_settings(desk):
    rows = []
    for i in range(24):
        optimizer = ["sgd", "adam", "lamb"][i % 3]
        nesterov = i % 2 == 0 if optimizer == "sgd" else None
        damp = 0.1 * i if nesterov else None
        beta = i / 30 if optimizer != "sgd" else None
        rows.append({"loss": i * 0.37 % 1, "damp": damp, "nesterov": nesterov, "beta": beta, "optimizer": optimizer})
    found = shape(desk.read(rows))
    assert found["nesterov"] == ("bool", "optimizer is sgd")
    assert found["damp"][1] == "nesterov is true"
    assert found["beta"][1] == "optimizer is adam or lamb"


def test_two_conditions_together_are_found(desk):
    rng = random.Random(5)
    rows = []
    for i in range(40):
        a, b = rng.choice(["p", "q"]), rng.random() < 0.5
        rows.append({"loss": i * 0.37 % 1, "a": a, "b": b, "child": rng.random() if a == "q" and b else None})
    assert shape(desk.read(rows))["child"][1] == "a is q, and b is true"


def test_a_setting_that_is_missing_by_no_rule_is_unconditional_and_it_is_said(desk):
    rows = [{"loss": i * 0.37 % 1, "a": ["p", "q"][i % 2], "b": None if i in (3, 4, 11) else i} for i in range(20)]
    table = desk.read(rows)
    assert shape(table)["b"] == ("int", "")
    assert "b is empty in 3 of 20 rows, and no other setting tells when" in notice(table, "b is empty")


def test_numbers_that_match_the_empty_cells_by_chance_make_no_condition(desk):
    rows = [{"loss": i * 0.37 % 1, "size": [8, 16, 32][i % 3] if i else 64, "b": i or None} for i in range(20)]
    assert shape(desk.read(rows))["b"] == ("int", "")


def test_rows_without_any_setting_say_nothing_of_conditions(desk):
    rows = [{"loss": i * 0.37 % 1, "a": ["p", "q"][i % 2], "b": i if i % 2 else None, "c": i % 3} for i in range(20)]
    table = desk.read([*rows, {"loss": None}, {"loss": None}])
    assert shape(table) == {"a": (["p", "q"], ""), "b": ("int", "a is q"), "c": ("int", "")}
    assert table.trials[-1].settings == {} and table.trials[-1].state == "FAILED"


SPACE = SearchSpace(
    parameters=(
        choice("opt", "sgd", "adam", "a,b", 'say "x"', "new\nline", "<b>"),
        real("lr", 1e-6, 1.0, log=True),
        boolean("deep"),
        real("momentum", 0.0, 1.0, when={"opt": "sgd"}),
        integer("layers", 1, 6, when={"deep": True}),
        choice("block", "plain", "😀", when={"deep": True}),
    )
)


@given(seed=st.integers(0, 10**6), delimiter=st.sampled_from(",;\t"), has_mark=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_comes_back_with_its_settings_and_conditions(desk, seed, delimiter, has_mark):
    rng = random.Random(seed)
    drawn = [SPACE.build(lambda parameter: parameter.value_at(rng.random())) for _ in range(120)]
    path = desk.rows(
        [{"loss": rng.random(), **{n: s.get(n) for n in SPACE.names()}} for s in drawn], delimiter=delimiter
    )
    if has_mark:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    table = desk.read(path)
    assert [t.settings for t in table.trials] == drawn
    assert {p.key for p in table.space.parameters} == {p.key for p in SPACE.parameters}
    assert {p.name: p.kind for p in table.space.parameters} == {p.name: p.kind for p in SPACE.parameters}


# --- how a trial ended -----------------------------------------------------------------------------------------------


def test_states_values_and_reasons(desk):
    table = desk.read(
        "state,loss,x\nCOMPLETE,1.5,1\nPRUNED,2.5,2\nFAIL,3,3\nRUNNING,,4\nTrialState.COMPLETE,nan,5\n"
        "COMPLETE,,6\nCOMPLETE,-inf,7\n,4.5,8\nodd,,9\nCOMPLETE,OOM,10\nPRUNED,nan,11\n"
    )
    assert [(t.state, t.value, t.last, t.reason) for t in table.trials] == [
        ("COMPLETE", 1.5, None, ""),
        ("PRUNED", None, (None, 2.5), ""),
        ("FAILED", None, None, ""),
        ("RUNNING", None, None, ""),
        ("INFEASIBLE", None, None, "the value is NaN"),
        ("FAILED", None, None, "no value"),
        ("INFEASIBLE", None, None, "the value is −∞"),
        ("COMPLETE", 4.5, None, ""),
        ("FAILED", None, None, "no value"),
        ("FAILED", None, None, 'the value is "OOM"'),
        ("PRUNED", None, None, ""),
    ]
    assert 'state says what is no state of a trial ("odd" in 1 row)' in notice(table, "no state")


def test_the_states_that_optuna_writes_as_numbers(desk):
    table = desk.read("state,loss,x\n1,1,1\n2,2,2\n3,,3\n0,,4\n")
    assert [t.state for t in table.trials] == ["COMPLETE", "PRUNED", "FAILED", "RUNNING"]


def test_trials_are_put_into_the_order_of_their_numbers(desk):
    table = desk.read("trial,loss,x\n3,1,1\n1,2,2\n2,3,3\n")
    assert [t.name for t in table.trials] == ["1", "2", "3"] and table.is_in_order


def test_copies_are_kept_and_noticed(desk):
    table = desk.read("trial,loss,x\n1,1,1\n2,1,1\n3,1,1\n4,2,2\n")
    assert len(table.complete) == 4
    assert notice(table, "same in every column").startswith("2 rows say the same in every column as an earlier one")
    repeats = desk.read("trial,loss,x\n1,1,1\n2,1.5,1\n")
    assert not [text for text in repeats.notices if "same in every column" in text]


def test_what_the_user_says_of_the_metric_stands_in_the_table(desk):
    table = desk.read("loss,x\n1,1\n2,2\n", trivial=(Trivial(name="constant", value=3.0),), evaluated_on=73, name="t")
    assert (table.name, table.metric.name, table.metric.goal) == ("t", "loss", "minimize")
    assert table.trivial[0].value == 3.0 and table.evaluated_on == 73 and table.source.endswith("trials.csv")


def test_durations_in_other_units_are_seconds(desk):
    table = desk.read("loss,x,hours\n1,1,2\n2,2,0.5\n")
    assert [t.seconds for t in table.trials] == [7200.0, 1800.0]


def test_reading_twice_gives_the_same(desk):
    path = desk.rows(
        [{"loss": math.sin(i), "a": i % 3, "b": "uv"[i % 2], "c": i if i % 2 else None} for i in range(30)]
    )
    assert desk.read(path) == desk.read(path)


def test_a_spreadsheet_with_decimal_commas_is_read(desk):
    table = desk.read('loss;lr\n0,5;1e-3\n0,25;"0,01"\n')
    assert [(t.value, t.settings["lr"]) for t in table.trials] == [(0.5, 0.001), (0.25, 0.01)]


def test_pandas_reads_the_same_cells(desk):
    pandas = pytest.importorskip("pandas")
    rng = random.Random(9)
    texts = ["plain", "a,b", 'q"q', "two\nlines", "<i>x</i>", "🙂", " spaced "]
    rows = [{"loss": rng.gauss(0, 1), "word": rng.choice(texts), "size": rng.choice([1, 2, 5])} for _ in range(60)]
    path = desk.folder / "pandas.csv"
    pandas.DataFrame(rows).to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)
    table = desk.read(path)
    frame = pandas.read_csv(path)
    assert [t.value for t in table.trials] == list(frame["loss"])
    assert [t.settings["word"] for t in table.trials] == [word.strip() for word in frame["word"]]
    assert [t.settings["size"] for t in table.trials] == list(frame["size"])
