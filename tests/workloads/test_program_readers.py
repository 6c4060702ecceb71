"""What a script prints or reports becomes the measurements a person would read in it."""

from __future__ import annotations

import math

import pytest
from program_cases import LOSS, pattern

from surefoot.errors import WorkloadError
from surefoot.program import Program, Reader
from surefoot.run import Metric
from surefoot.workloads.metric_readers import Curve, Reports, check_readers, number, shown_uri, text_readers
from surefoot.workloads.script import KeptEnds, Output


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("-2.5E+4", -25000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("12.5%", 12.5),
        ("12.5 %", 12.5),
        ("1,234", 1234.0),
        ("1,234,567.8", 1234567.8),
        ("−0.5", -0.5),
        ("0.25,", 0.25),
        (" 3 ", 3.0),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("1,5", None),
        ("1,23", None),
        ("12,34,567", None),
        ("1_000", None),
        ("0x10", None),
        ("", None),
        ("abc", None),
        ("1.2.3", None),
    ],
)
def test_a_number_is_read_as_a_person_would(text, value):
    assert number(text) == value


def test_nan_is_a_number_too():
    assert math.isnan(number("nan"))


class Reading:
    """Readers of a program, fed by hand."""

    def __init__(self, *readers, metrics=("val_loss",), told_before=-1):
        wanted = tuple(Metric(name=name, goal="minimize") for name in metrics)
        self.curve = Curve(wanted=frozenset(metrics), told_before=told_before)
        self.readers = text_readers(Program(command=("x",), metrics=wanted, readers=readers), self.curve)

    def __call__(self, *lines):
        for line in lines:
            for reader in self.readers:
                reader.read(line)
        for reader in self.readers:
            reader.finish()
        return [(m.step, dict(m.values)) for m in self.curve.rest()]


def losses(*values):
    return [(step, {"val_loss": value}) for step, value in enumerate(values, start=1)]


def test_words_are_read_where_no_reader_is_named():
    lines = ["epoch 1 val_loss: 0.5", "val_loss=0.25 (best val_loss: 0.1)", 'x "val_loss": 0.125', "{'val_loss': 0.06}"]
    assert Reading()(*lines) == losses(0.5, 0.25, 0.125, 0.06)


@pytest.mark.parametrize(
    "line", ["my_val_loss: 1", "val_loss 1", "val_losses: 1", "train.val_loss=1", "val_loss: high"]
)
def test_other_words_are_not_the_metric(line):
    assert Reading()(line) == []


def test_a_pattern_is_searched_in_every_line_and_may_name_the_step():
    reading = Reading(pattern(r"\[(?P<step>\d+)\].*loss (?P<val_loss>\S+)"))
    assert reading("[10] loss 0.5", "nothing", "[20] loss 25%,") == [(10, {"val_loss": 0.5}), (20, {"val_loss": 25.0})]


def test_a_page_of_many_lines_is_read_line_by_line():
    reading = Reading(pattern(r"^loss (?P<val_loss>\S+)$"))
    assert reading("loss 1\nno loss 2\nloss 3") == losses(1.0, 3.0)
    assert Reading(pattern(r"(?<!no )loss (?P<val_loss>\S+)\Z"))("loss 1\nno loss 2\nloss 3") == losses(1.0, 3.0)


def test_a_metric_may_have_another_name_in_the_script():
    assert Reading(pattern(r"L=(?P<l>\S+)", names={"l": "val_loss"}))("L=3") == losses(3.0)
    assert Reading(Reader(kind="json", names={"eval/loss": "val_loss"}))('{"eval/loss": 3}') == losses(3.0)
    assert Reading(Reader(kind="pattern", names={"Validation loss": "val_loss"}))("Validation loss: 3") == losses(3.0)


def test_json_lines_hold_metrics_of_any_depth_and_steps():
    lines = ['{"step": 5, "val_loss": 0.5, "lr": 1e-3, "ok": true, "note": "x"}', '{"step": 6, "val_loss": "0.25"}']
    assert Reading(Reader(kind="json"))(*lines) == [(5, {"val_loss": 0.5, "lr": 1e-3}), (6, {"val_loss": 0.25})]
    nested = Reading(Reader(kind="json", step="epoch"), metrics=["val.loss"])
    assert nested('{"epoch": 2.0, "val": {"loss": 1}}') == [(2, {"val.loss": 1.0})]


@pytest.mark.parametrize("line", ["{", "{]}", "[1]", '"val_loss"', "{}", '{"val_loss": null}', '{"val_loss": [1]}'])
def test_what_is_no_json_object_with_the_metric_is_passed_over(line):
    assert Reading(Reader(kind="json"))(line) == []


def test_json_knows_numbers_that_are_none():
    (_, values), _ = Reading(Reader(kind="json"))('{"val_loss": NaN, "other": NaN}', '{"val_loss": -Infinity}')
    assert math.isnan(values["val_loss"])
    assert set(values) == {"val_loss"}, "only the metrics that are asked for may end a run by being no number"


@pytest.mark.parametrize(
    "last", ["0.5", "val_loss: 0.5", "val_loss=0.5", "Final val_loss = 0.5 after 3 steps", " 0.5 "]
)
def test_the_last_line_holds_the_number(last):
    assert Reading(Reader(kind="last"))("0.9", "done", last, "", "  ") == losses(0.5)


def test_the_last_line_may_hold_several_metrics():
    reading = Reading(Reader(kind="last"), metrics=["val_loss", "accuracy"])
    assert reading("val_loss: 0.5, accuracy=91.2%") == [(1, {"val_loss": 0.5, "accuracy": 91.2})]


def test_a_last_line_without_the_number_is_quoted():
    reading = Reading(Reader(kind="last"))
    assert reading("0.5", "bye") == []
    assert reading.readers[0].trouble() == 'the last one was "bye", which holds none'


# --- steps -----------------------------------------------------------------------------------------------------------


def test_values_of_one_step_are_one_measurement_on_however_many_lines():
    reading = Reading(Reader(kind="json"), metrics=["train", "val"])
    lines = ['{"step": 1, "train": 1}', '{"step": 1, "val": 2}', '{"step": 2, "train": 3}', '{"step": 2, "val": 4}']
    assert reading(*lines) == [(1, {"train": 1, "val": 2}), (2, {"train": 3, "val": 4})]
    counted = Reading(metrics=["train", "val"])
    assert counted("train: 1", "val: 2", "train: 3", "val: 4") == [
        (1, {"train": 1, "val": 2}),
        (2, {"train": 3, "val": 4}),
    ]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ([1, 2, 3, 1, 2, 3], [1, 2, 3, 4, 5, 6]),
        ([0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 4, 5]),
        ([0, 0, 0], [0, 1, 2]),
        ([10, 20, 10, 20], [10, 20, 30, 40]),
        ([None, None, None], [1, 2, 3]),
        ([5, None, None], [5, 6, 7]),
        ([0, 5, 7], [0, 5, 7]),
    ],
)
def test_steps_rise_whatever_the_script_counts(told, kept):
    curve = Curve(wanted=frozenset({"val_loss"}))
    for place, step in enumerate(told):
        curve.hear({"val_loss": float(place)}, step)
    assert [(m.step, m.values["val_loss"]) for m in curve.rest()] == [(s, float(i)) for i, s in enumerate(kept)]


def test_a_value_that_comes_after_its_step_was_told_is_left_out():
    curve = Curve(wanted=frozenset({"val_loss"}))
    curve.hear({"val_loss": 1.0}, 1)
    assert [m.step for m in curve.rest()] == [1]
    curve.hear({"other": 1.0}, 1)
    curve.hear({"val_loss": 2.0}, 2)
    assert [(m.step, dict(m.values)) for m in curve.rest()] == [(2, {"val_loss": 2.0})]
    assert (curve.left_out, curve.begun_anew) == (1, 0)


def test_a_metric_that_is_told_in_two_ways_is_heard_in_the_surer_one():
    for first, second in (("reported", "printed"), ("printed", "reported"), ("printed", "printed as JSON")):
        curve = Curve(wanted=frozenset({"val_loss"}))
        surer = min(first, second, key=["reported", "printed as JSON", "printed"].index)
        for step in (1, 2):
            for source in (first, second):
                value = float(step) if source == surer else 9.0
                curve.hear({"val_loss": value}, step if source == "reported" else None, source)
        assert [(m.step, dict(m.values)) for m in curve.rest()] == losses(1.0, 2.0)


def test_a_run_that_goes_on_tells_only_what_is_new():
    numbered = Curve(wanted=frozenset({"val_loss"}), told_before=3)
    for step in (2, 3, 4, 5):
        numbered.hear({"val_loss": float(step)}, step)
    assert [m.step for m in numbered.rest()] == [4, 5]
    counted = Reading(told_before=3)
    assert [step for step, _ in counted("val_loss: 1", "val_loss: 2")] == [4, 5]
    at_its_end = Curve(wanted=frozenset({"val_loss"}), told_before=3)
    at_its_end.hear({"val_loss": 7.0}, 3)
    assert [(m.step, dict(m.values)) for m in at_its_end.rest()] == [(3, {"val_loss": 7.0})]


def test_a_whole_step_is_told_while_the_script_goes_on(monkeypatch):
    monkeypatch.setattr("surefoot.workloads.metric_readers.LINGER_SECONDS", -1.0)
    curve = Curve(wanted=frozenset({"val_loss", "acc"}))
    curve.hear({"val_loss": 1.0}, 1)
    assert list(curve.ready()) == []
    curve.hear({"acc": 1.0}, 1)
    assert [m.step for m in curve.ready()] == [1]


# --- the report file -------------------------------------------------------------------------------------------------


def test_a_report_is_read_when_its_line_is_whole(tmp_path):
    curve_, path = Curve(wanted=frozenset({"val_loss"})), tmp_path / "metrics.jsonl"
    reports = Reports(path, curve_, goes_on=False)
    assert not reports.look()
    path.write_text('{"step": 1, "val_loss": 1}\n{"step": 2, "val')
    reports.look()
    assert [m.step for m in curve_.rest()] == [1]
    with path.open("a") as file:
        file.write('_loss": 2}\n')
    reports.look()
    assert [m.step for m in curve_.rest()] == [2]


def test_what_an_earlier_part_of_the_run_reported_is_not_read_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "val_loss": 1}\n')
    goes_on = Reports(path, Curve(wanted=frozenset({"val_loss"})), goes_on=True)
    assert not goes_on.look()
    Reports(path, Curve(wanted=frozenset({"val_loss"})), goes_on=False)
    assert not path.exists()


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("loss (.*", "must be a regular expression"),
        (r"loss (\S+)", r"named group for a metric, as \(\?P<val_loss>.*names none, and the metrics are val_loss"),
        (r"(?P<loss>\S+)", "names loss, and the metrics are val_loss"),
    ],
)
def test_a_pattern_that_cannot_find_a_metric_is_refused(text, says):
    with pytest.raises(WorkloadError, match=says):
        check_readers(Program(command=("x",), metrics=LOSS, readers=(pattern(text),)))


def test_a_password_is_never_put_on_record():
    reader = Reader(kind="mlflow", tracking_uri="https://me:secret@host:5000")
    with pytest.raises(WorkloadError, match="must hold no password") as caught:
        check_readers(Program(command=("x",), metrics=LOSS, readers=(reader,)))
    assert "secret" not in str(caught.value)


def test_an_address_is_shown_without_its_password():
    assert shown_uri("https://me:secret@host:5000/x") == "https://…@host:5000/x"


# --- what is kept of the output --------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [0, 5, 10, 11, 20, 21, 25, 30, 35, 1000])
@pytest.mark.parametrize("part", [1, 3, 7, 1000])
def test_the_first_and_the_last_part_are_kept(tmp_path, total, part):
    data = bytes(33 + i % 90 for i in range(total))
    file = KeptEnds(tmp_path / "output.txt", 10)
    for begin in range(0, total, part):
        file.write(data[begin : begin + part])
    file.close()
    kept = (tmp_path / "output.txt").read_bytes()
    if total <= 20:
        assert kept == data
    else:
        assert kept == data[:10] + f"\n[… {total - 20:,} bytes are left out here …]\n".encode() + data[-10:]
    assert [path.name for path in tmp_path.iterdir()] == ["output.txt"]


def lines_read(tmp_path, *parts):
    class Pages(list):
        def read(self, page):
            self.extend(page.split("\n"))

    pages = Pages()
    output = Output(tmp_path / "output.txt", kept_bytes=100, readers=[pages])
    for data in parts:
        output.take(data, True)
    output.close()
    return pages, output


def test_output_is_cut_into_lines_wherever_it_is_broken(tmp_path):
    data = "ein\nzwei\r\ndrei ü\r50%\r100%\n\x1b[32mgrün: 1\x1b[0m\nlast".encode()
    whole, _ = lines_read(tmp_path, data)
    assert [line for line in whole if line] == ["ein", "zwei", "drei ü", "50%", "100%", "grün: 1", "last"]
    for size in (1, 2, 3, 5):
        parts, output = lines_read(tmp_path, *(data[i : i + size] for i in range(0, len(data), size)))
        assert [line for line in parts if line] == [line for line in whole if line]
        assert output.last_line == "last"


def test_a_line_without_an_end_is_cut_and_the_next_is_whole(tmp_path):
    long = b"x" * 50_000
    read, _ = lines_read(tmp_path, long, long, long, b"tail\nval_loss: 1\nrest")
    assert [len(line) for line in read] == [2**16, 11, 4]
    assert read[1:] == ["val_loss: 1", "rest"]


def test_bytes_that_are_no_text_do_not_end_the_reading(tmp_path):
    read, _ = lines_read(tmp_path, b"\xff\xfe val_loss: 1\n")
    assert read[0].endswith(" val_loss: 1")
