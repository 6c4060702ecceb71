"""What is no table of trials, or says too little: one line with where and what to do, and never a guess."""

import contextlib
import io

import pytest
from table_cases import shape

from surefoot.errors import RecordError
from surefoot.records import delimited
from surefoot.records.delimited import MOST_TRIALS, read_delimited

GOOD = "loss,x,y\n1,1,2\n2,2,1\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty; a table of trials begins with the names of its columns"),
        ("\ufeff\n\n", "is empty"),
        ("loss,x,loss\n1,2,3\n", 'every column must have a name of its own; "loss" stands over columns 1 and 3'),
        ("loss,x\n1,2\n1\n", ":3: every row must have as many cells as the header, 2; this one has 1"),
        ('loss,x\n1,"a\nb"\n\n1,2,3\n', ":5: every row must have as many cells as the header, 2; this one has 3"),
        ('loss,x\n1,2\n3,"4\n5,6\n', ":3: this row cannot be read as a table"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "must be a table as text (CSV or TSV); it is a binary file"),
        ("loss,x\n1,2\n".encode("utf-16"), "must be UTF-8 text; it is UTF-16"),
        ("loss,x\n1,é\n".encode("latin-1"), "must be UTF-8 text; byte 0xe9 is not"),
        ("loss,x\nhigh,1\nlow,2\n", 'the value must be a column of numbers; loss holds "high"'),
    ],
)
def test_what_is_no_table_is_one_line_with_its_place(desk, content, words):
    with pytest.raises(RecordError) as error:
        desk.read(content)
    said = str(error.value)
    assert said.startswith(str(desk.folder / "trials.csv")) and words in said and "\n" not in said


def test_a_missing_file_and_a_folder_are_named(desk):
    with pytest.raises(RecordError, match=r"nowhere\.csv is not there"):
        desk.read(desk.folder / "nowhere.csv")
    with pytest.raises(RecordError, match="is a folder"):
        desk.read(desk.folder)


def test_neither_the_value_nor_its_goal_is_ever_guessed(desk):
    with pytest.raises(
        RecordError, match=r"say which column holds the value .* its columns of numbers are loss, x and y"
    ):
        desk.read(GOOD, value=None)
    with pytest.raises(RecordError, match="say which column"):
        desk.read(GOOD, value=None, goal=None)
    with pytest.raises(RecordError, match="must say whether loss should be maximized or minimized: --goal maximize"):
        desk.read(GOOD, goal=None)
    with pytest.raises(RecordError, match=r'got "minimise"\. Did you mean "minimize"'):
        desk.read(GOOD, goal="minimise")


def test_a_header_alone_is_a_table_without_trials(desk):
    table = desk.read("loss,x,y\n")
    assert table.trials == () and table.space.parameters == () and table.base == {}


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_or_no_finished_trials_are_no_mistake(desk, n):
    rows = [{"loss": i / 7 if i < n else None, "x": i, "kind": "ab"[i % 2]} for i in range(4)]
    table = desk.read(rows)
    assert len(table.complete) == n and len(table.trials) == 4
    assert set(shape(table)) == {"x", "kind"}


def test_equal_values_make_no_setting_their_alias(desk):
    table = desk.read([{"loss": 1.0, "x": i, "fixed": 1.0} for i in range(10)])
    assert set(shape(table)) == {"x"} and table.base == {"fixed": 1}


class Counting(io.StringIO):
    """A file without end, which counts the lines that were asked for."""

    def __init__(self):
        super().__init__()
        self.lines = 0

    def __iter__(self):
        yield "loss,x\n"
        while True:
            self.lines += 1
            yield f"{self.lines},1\n"


def test_a_row_too_many_is_noticed_without_reading_the_rest(desk, monkeypatch):
    endless = Counting()
    monkeypatch.setattr(delimited, "_opened", lambda path: contextlib.nullcontext(endless))
    with pytest.raises(RecordError, match=r"has more than 200,000 rows.*take a sample, or say --rows 200000"):
        read_delimited(desk.write(GOOD))
    assert endless.lines == MOST_TRIALS + 1


def test_a_large_file_is_refused_in_one_line_and_read_where_rows_are_said(desk):
    path = desk.folder / "large.csv"
    with path.open("w") as file:
        file.write("loss,x,y\n")
        file.writelines(f"{i % 97},{i % 7},{i % 3}\n" for i in range(300_000))
    with pytest.raises(RecordError, match="more than 200,000 rows"):
        desk.read(path)
    table = desk.read(path, rows=1000)
    assert len(table.trials) == 1000 and set(shape(table)) == {"x", "y"}
    assert table.notices[0] == "only the first 1,000 rows of the table are read, as was asked"
    with pytest.raises(RecordError, match="rows must be a number from 1 to 200,000; got 300,000"):
        desk.read(path, rows=300_000)


NAMES = ["<script>alert(1)</script>", "a,b", 'quo"te', "two\nlines", "😀 rate", "semi;colon", "tab\there"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_odd_names_and_values_come_through_unchanged(desk, delimiter):
    rows = [{"loss": i * 0.37 % 1, **{name: NAMES[(i + k) % 7] for k, name in enumerate(NAMES)}} for i in range(20)]
    table = desk.read(desk.rows(rows, delimiter=delimiter))
    assert list(table.space.names()) == NAMES
    assert [t.settings for t in table.trials] == [{k: v for k, v in row.items() if k != "loss"} for row in rows]
    assert not any("\n" in notice for notice in table.notices)


def test_columns_without_a_name_are_dropped_where_they_are_empty_and_else_called_by_their_place(desk):
    table = desk.read("loss,x,\n1,1,\n2,2,\n")
    assert set(shape(table)) == {"x"}
    table = desk.read("loss,x,\n1,1,7\n2,2,5\n3,1,5\n")
    assert set(shape(table)) == {"x", "column 3"}


def test_numbers_of_any_size_are_read(desk):
    table = desk.read(f"loss,x,y\n1e-320,{'9' * 400},1_000\n1e999,3,2_000\n-0.0,2,1_000\n")
    assert [t.state for t in table.trials] == ["COMPLETE", "INFEASIBLE", "COMPLETE"]
    assert table.trials[0].value == 1e-320
    assert next(p for p in table.space.parameters if p.name == "y").choices == ("1_000", "2_000")


def test_a_value_whose_square_is_no_number_has_diverged_as_in_a_run_of_ours(desk):
    table = desk.read("loss,x,state\n1e300,1,COMPLETE\n-1e101,2,COMPLETE\n1e100,3,COMPLETE\n1e300,4,PRUNED\n")
    assert [t.state for t in table.trials] == ["INFEASIBLE", "INFEASIBLE", "COMPLETE", "PRUNED"]
    assert table.trials[0].reason == "the value is 1e+300" and table.trials[3].last is None
