"""Histories from files: every format's curves, and what becomes of gaps, restarts and bad cells."""

import json
import math
import os
from pathlib import Path

import pytest

from surefoot.errors import RecordError
from surefoot.records.histories import find_histories, read_histories

DATA = Path(os.environ.get("SUREFOOT_DATA", "no-data")) / "records"


@pytest.fixture
def file(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def only(path):
    (history,) = read_histories(path)
    return history


def points(history, metric):
    curve = history.curves[metric]
    return list(zip(curve.steps, curve.values, strict=True))


def noticed(history, *words):
    return any(all(word in notice for word in words) for notice in history.notices)


# --- tables ---


def test_a_row_an_epoch_is_a_history(file):
    history = only(file("log.csv", "epoch,loss,val_loss\n0,1.5,1.6\n1,1.0,1.2\n2,0.5,1.1\n"))
    assert (history.name, history.step_unit, history.notices) == ("log", "epoch", ())
    assert points(history, "val_loss") == [(0, 1.6), (1, 1.2), (2, 1.1)]


@pytest.mark.parametrize("text", ["epoch\tloss\n1\t0,5\n", "epoch;loss\n1;0,5\n"])
def test_tabs_and_decimal_commas_between_semicolons_are_read(file, text):
    path = file("log.tsv" if "\t" in text else "log.csv", text.replace("0,5", "0.5") if "\t" in text else text)
    assert points(only(path), "loss") == [(1, 0.5)]


def test_sparse_rows_give_each_metric_its_own_steps(file):
    text = "epoch,step,train_loss_step,val_loss\n0,49,2.0,\n0,93,,1.8\n0,99,1.5,\n1,149,1.2,\n1,187,,1.4\n"
    history = only(file("metrics.csv", text))
    assert history.step_unit == "step"
    assert points(history, "train_loss_step") == [(49, 2.0), (99, 1.5), (149, 1.2)]
    assert points(history, "val_loss") == [(93, 1.8), (187, 1.4)]


def test_a_column_of_runs_parts_the_rows_and_seeds_share_their_name(file):
    rows = [f"{run},{seed},{epoch},{epoch + seed}" for run in "ab" for seed in (1, 2) for epoch in (1, 2)]
    found = read_histories(file("many.csv", "\n".join(["run,seed,epoch,loss", *rows])))
    assert [(h.name, h.seed) for h in found] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert points(found[1], "loss") == [(1, 3), (2, 4)]


def test_one_value_a_row_and_one_split_a_row_become_columns(file):
    tall = only(file("tall.csv", "step,metric,value\n1,loss,2\n1,val_loss,3\n2,loss,1\n"))
    assert points(tall, "loss") == [(1, 2), (2, 1)] and points(tall, "val_loss") == [(1, 3)]
    split = only(file("split.csv", "epoch,phase,loss\n1,train,2\n1,val,3\n2,train,1\n2,val,2.5\n"))
    assert points(split, "train_loss") == [(1, 2), (2, 1)] and points(split, "val_loss") == [(1, 3), (2, 2.5)]


def test_columns_of_settings_are_the_config_and_no_curves(file):
    history = only(file("log.csv", "epoch,batch_size,loss\n1,32,2\n2,32,1\n"))
    assert history.config == {"batch_size": 32} and set(history.curves) == {"loss"}


def test_without_a_step_each_row_is_an_epoch_and_that_is_said(file):
    history = only(file("log.csv", "loss,val_loss\n2,3\n1,2\n"))
    assert points(history, "loss") == [(1, 2), (2, 1)] and noticed(history, "each row is taken as one epoch")


# --- steps that are not as they should be ---


def log(steps, first=0):
    return "epoch,loss\n" + "".join(f"{step},{first + i}\n" for i, step in enumerate(steps))


@pytest.mark.parametrize(
    ("steps", "kept", "says"),
    [
        ([1, 2, 3, 4, 5, 3, 4, 5], [(1, 0), (2, 1), (3, 5), (4, 6), (5, 7)], "resumed at epoch 3: 3 rows"),
        ([1, 2, 3, 1, 2], [(1, 3), (2, 4)], "begun again once: the last attempt is kept, 3 rows"),
        ([1, 2, 1, 2, 1], [(1, 4)], "begun again twice"),
        ([1, 2, 2, 3], [(1, 0), (2, 2), (3, 3)], "1 value logged again at the same epoch"),
        ([1, 2, 3, 7, 8], [(1, 0), (2, 1), (3, 2), (7, 3), (8, 4)], "nothing was logged between epoch 3 and 7"),
        ([4, 3, 2, 1], [(1, 3), (2, 2), (3, 1), (4, 0)], "last epoch first"),
        ([3, 1, 5, 2, 8, 4, 7, 6, 10, 9], None, "in no order"),
    ],
)
def test_what_steps_that_jump_mean_is_said(file, steps, kept, says):
    history = only(file("log.csv", log(steps)))
    assert any(says in notice for notice in history.notices), history.notices
    assert kept is None or points(history, "loss") == kept
    rising = history.curves["loss"].steps
    assert list(rising) == sorted(set(rising))


def test_a_metric_that_was_not_measured_again_is_superseded_with_the_rest(file):
    text = "epoch,loss,val_loss\n1,9,\n2,8,\n3,7,70\n2,6,\n"
    history = only(file("log.csv", text))
    assert points(history, "loss") == [(1, 9), (2, 6)] and "val_loss" not in history.curves


def test_blocks_of_other_metrics_supersede_nothing(file):
    text = "epoch,loss,val_loss\n1,9,\n2,8,\n3,7,\n1,,90\n2,,80\n3,,70\n"
    history = only(file("log.csv", text))
    assert points(history, "loss") == [(1, 9), (2, 8), (3, 7)] and points(history, "val_loss")[0] == (1, 90)
    assert history.notices == ()


def test_measuring_every_few_epochs_is_no_gap(file):
    text = "epoch,loss,val_loss\n" + "".join(f"{e},{e},{e if e % 5 == 0 else ''}\n" for e in range(1, 21))
    history = only(file("log.csv", text))
    assert history.curves["val_loss"].steps == (5, 10, 15, 20) and history.notices == ()


# --- cells and files that are not as they should be ---


def test_what_is_not_finite_stays_and_what_is_no_number_is_left_out(file):
    history = only(file("log.csv", "epoch,loss,acc\n1,nan,1\n2,-inf,oops\n3,1e400,3\n"))
    values = history.curves["loss"].values
    assert math.isnan(values[0]) and values[1:] == (-math.inf, math.inf)
    assert noticed(history, "loss is beyond what a float holds", "line 4")
    assert noticed(history, "acc is no number in 1 row", "line 3", "oops")
    assert points(history, "acc") == [(1, 1), (3, 3)]


def test_a_last_row_that_breaks_off_and_a_header_again_are_left_out(file):
    history = only(file("log.csv", "epoch,loss,val_loss\n1,3,4\nepoch,loss,val_loss\n2,2,3\n3,1\n"))
    assert points(history, "loss") == [(1, 3), (2, 2)]
    assert noticed(history, "line 5, the last, breaks off") and noticed(history, "says the header again")


def test_a_mark_of_byte_order_and_empty_steps_do_no_harm(file):
    history = only(file("log.csv", b"\xef\xbb\xbfepoch,loss\r\n1,3\r\n,2\r\n3,1\r\n"))
    assert points(history, "loss") == [(1, 3), (3, 1)] and noticed(history, "1 row without epoch left out", "line 3")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "epoch,loss\n", "at least one measured number"),
        ("a.csv", "epoch,loss\n1,2,3\n2,1\n", "a.csv:2: every row must have as many cells"),
        ("a.csv", "epoch,loss\n1,2\nsoon,1\n", 'a.csv:3: epoch must be a number; got "soon"'),
        ("a.csv", "epoch,loss\nnan,2\n", "a.csv:2: epoch must be a number"),
        ("a.csv", "epoch,name\n1,x\n2,x\n", "column of measured numbers"),
        ("a.csv", "lr,depth_of_it\n0.1,2\n0.2,3\n", "must have a column of epochs or steps, or one called loss"),
        ("a.csv", "trial,lr,loss\n0,0.1,2\n1,0.2,3\n2,0.1,1\n", "`surefoot analyze` reads a table of trials"),
        ("a.csv", b"\x00\x01", "binary"),
        ("a.json", "", "a.json is empty"),
        ("a.json", '{"loss": [1,\n2', "a.json:2: must be JSON"),
        ("a.json", '{"lr": 0.1}', "holds no history"),
        ("a.json", "3", "must be a list or an object"),
        ("a.json", "[1, 2]", "entry 1: every entry of a history must be an object"),
        ("a.json", b'{"loss": "\xff"}', "must be UTF-8 text"),
        ("a.jsonl", '{"loss": 1}\n{"loss"\n{"loss": 2}\n', "a.jsonl:2: every line must be one JSON object"),
        ("a.json", "[" * 100_000, "must be JSON"),
    ],
)
def test_a_file_without_a_history_is_refused_in_one_line(file, name, text, says):
    with pytest.raises(RecordError) as refused:
        read_histories(file(name, text))
    assert says in str(refused.value) and "\n" not in str(refused.value)


# --- JSON ---


def test_a_dict_of_lists_is_one_and_a_shorter_list_was_measured_every_so_many_epochs(file):
    history = only(file("h.json", json.dumps({"loss": [4, 3, 2, 1], "val_loss": [5, 6], "lr": [0.1]})))
    assert points(history, "loss") == [(1, 4), (2, 3), (3, 2), (4, 1)]
    assert points(history, "val_loss") == [(2, 5), (4, 6)] and noticed(history, "val_loss", "every 2 epochs")
    assert points(history, "lr") == [(4, 0.1)]


@pytest.mark.parametrize(
    "document",
    [
        {"epochs": [{"num": 1, "train_loss": 2.0, "val_acc": 0.5}, {"num": 2, "train_loss": 1.0, "val_acc": 0.6}]},
        [{"epoch": 1, "train_loss": 2.0, "val_acc": 0.5}, {"epoch": 2, "train_loss": 1.0, "val_acc": 0.6}],
        {"train_loss": {"0": 2.0, "1": 1.0}, "val_acc": {"0": 0.5, "1": 0.6}, "epoch": {"0": 1, "1": 2}},
        {"train": {"loss": [2.0, 1.0]}, "val": {"acc": [0.5, 0.6]}},
        {"history": {"train_loss": [2.0, 1.0], "val_acc": [0.5, 0.6]}, "epoch": [1, 2]},
        [
            {"epoch": 1, "train": {"loss": 2.0}, "val": {"acc": 0.5}},
            {"epoch": 2, "train": {"loss": 1.0}, "val": {"acc": 0.6}},
        ],
    ],
)
def test_every_shape_of_a_document_says_the_same(file, document):
    history = only(file("metrics.json", json.dumps(document)))
    assert points(history, "train_loss") == [(1, 2), (2, 1)] and points(history, "val_acc") == [(1, 0.5), (2, 0.6)]


def test_a_trainers_state_is_read_without_its_summary(file):
    rows = [
        {"epoch": 0.5, "step": 500, "loss": 2.0, "grad_norm": 1.5, "learning_rate": 5e-5},
        {"epoch": 1.0, "step": 1000, "eval_loss": 1.9, "eval_runtime": 3.0},
        {"epoch": 1.0, "step": 1000, "train_loss": 1.95, "train_runtime": 60.0, "total_flos": 1e15},
    ]
    history = only(file("trainer_state.json", json.dumps({"best_metric": None, "log_history": rows})))
    assert history.step_unit == "step" and "train_loss" not in history.curves
    assert points(history, "loss") == [(500, 2)] and points(history, "eval_loss") == [(1000, 1.9)]


def test_lines_of_json_may_break_off_at_their_end_and_say_numbers_as_text(file):
    text = '{"step": 1, "values": {"loss": "NaN"}}\n\n{"step": 2, "values": {"loss": 1e400}}\n{"step": 3, "va'
    history = only(file("log.jsonl", text))
    values = history.curves["loss"].values
    assert math.isnan(values[0]) and values[1] == math.inf and len(values) == 2
    assert noticed(history, "line 4, the last, breaks off") and noticed(history, "loss is beyond what a float holds")


# --- folders ---


def test_a_folder_is_all_its_histories_and_what_holds_none_is_counted(file, tmp_path):
    file("sweep/run_10/history.csv", "epoch,loss\n1,2\n")
    file("sweep/run_10/config.json", json.dumps({"lr": 0.1, "layers": [1]}))
    file("sweep/run_9/a_history.csv", "epoch,loss\n1,3\n")
    file("sweep/run_9/a_results.json", json.dumps({"batch_size": 8, "best_loss": 3.0}))
    file("sweep/broken.csv", "epoch,loss\n1,2,3\n2,1\n")
    found = find_histories(tmp_path / "sweep")
    assert {h.name: h.config for h in found.histories} == {"run_9": {"batch_size": 8}, "run_10": {"lr": 0.1}}
    assert [h.name for h in found.histories] == ["run_9", "run_10"]
    assert any("broken.csv:2" in notice for notice in found.notices)
    assert any("1 file of 4 without a history" in notice for notice in found.notices)


def test_of_a_trainers_checkpoints_the_last_is_read(file, tmp_path):
    for n in (500, 1000):
        rows = [{"step": step, "loss": 1.0} for step in range(500, n + 1, 500)]
        file(f"out/checkpoint-{n}/trainer_state.json", json.dumps({"log_history": rows}))
    found = find_histories(tmp_path / "out")
    assert [h.curves["loss"].steps for h in found.histories] == [(500, 1000)]
    assert "1 state of earlier checkpoints left out" in found.notices[0]


@pytest.mark.parametrize(("content", "says"), [({}, "holds no file"), ({"x/a.csv": "a,b\n1,2\n"}, "holds no history")])
def test_a_folder_without_a_history_is_refused(file, tmp_path, content, says):
    (tmp_path / "x").mkdir()
    for name, text in content.items():
        file(name, text)
    with pytest.raises(RecordError, match=says):
        read_histories(tmp_path / "x")


# --- real records ---


@pytest.mark.skipif(not DATA.is_dir(), reason="no records under SUREFOOT_DATA")
def test_the_real_keras_records_are_read_whole():
    found = find_histories(DATA / "keras_sweep_20250926").histories
    assert len(found) == 36 and found[0].name == "exp_1_UNet_lr1e-4_bs8"
    for history in found:
        told = next((DATA / "keras_sweep_20250926" / history.name).glob("*_results.json"))
        results = json.loads(told.read_text())
        assert len(history.curves["val_loss"].steps) == results["epochs_completed"]
        assert history.config["batch_size"] == results["batch_size"] and history.step_unit == "epoch"
        assert history.curves["val_loss"].values[-1] == pytest.approx(results["final_val_loss"])
        assert history.notices == ()


@pytest.mark.skipif(not DATA.is_dir(), reason="no records under SUREFOOT_DATA")
def test_real_tables_of_trials_are_no_histories():
    found = find_histories(DATA / "microbead_search")
    assert len(found.histories) == 14 and "2 files of 16 without a history" in found.notices[0]
    for name in ("arc_sweep_v2.csv", "mudenet_log.csv", "fashion_journal_runs.csv"):
        with pytest.raises(RecordError, match="reads a table of trials"):
            read_histories(DATA / name)
