"""A diagnosis told: what Markdown, HTML, JSON and figures say, and that they say the same."""

import json
import math
import re
import shutil

import pytest

from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.diagnosis.symptom import SYMPTOMS, Diagnosis, Ground, Symptom
from surefoot.finding import Finding
from surefoot.history import History
from surefoot.reports.diagnosed import Diagnosed, Examination
from surefoot.reports.diagnosis_blocks import diagnosis_blocks
from surefoot.reports.diagnosis_figures import DiagnosisFigure, diagnosis_figure
from surefoot.reports.diagnosis_html import diagnosis_html
from surefoot.reports.diagnosis_json import diagnosis_json
from surefoot.reports.diagnosis_page import diagnosis_markdown, diagnosis_text
from surefoot.reports.diagnosis_words import NAMES, confidence_text, headline, promise_text
from surefoot.reports.diagnosis_write import pictures_of, write_diagnosis
from surefoot.reports.figures import NoFigure
from surefoot.trials import Curve

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DROPOUT = Recommendation(
    id="R1",
    kind="dropout",
    title="dropout 0.4",
    patch={"dropout": 0.4},
    because="the gap is strong",
    symptom="overfitting",
    promise=Promise(metric="val_accuracy", low=3, high=5, unit="%", source="the workflow document"),
)
DATA = Recommendation(id="R2", kind="data", title="more <data>", patch={}, because="", symptom="overfitting")


def history(name="a", epochs=20, turn=8):
    steps = tuple(float(e) for e in range(epochs))
    train = tuple(2.3 * math.exp(-e / 6) for e in range(epochs))
    val = tuple(1 + abs(e - turn) / 10 for e in range(epochs))
    curves = {"train_loss": Curve(steps=steps, values=train), "val_loss": Curve(steps=steps, values=val)}
    return History(name=name, curves=curves, step_unit="epoch", config={"dropout": 0.0})


def symptom(rule="overfitting", **said):
    finding = Finding(
        rule=f"diagnosis.{rule}",
        subject="val_accuracy",
        sentence="Train ends at 99.2, validation at 80.1: a gap of <19.1> points.",
        severity="warning",
        evidence={"gap": 19.1, "nothing": math.nan},
    )
    return Symptom(**{"rule": rule, "finding": finding, "confidence": 0.97, "degree": "strong", **said})


def ill(subject="wide", n=1, **said):
    found = symptom(recommendations=(DROPOUT, DATA), **said)
    diagnosis = Diagnosis(
        subject=subject, symptoms=(found,), primary="overfitting", notes=("it could not be told",), histories=n
    )
    histories = tuple(history(f"{subject} {i}") for i in range(n))
    return Diagnosed(histories=histories, ground=Ground(config={"dropout": 0.0}), diagnosis=diagnosis)


def well(subject="narrow"):
    return Diagnosed(histories=(history(),), ground=Ground(), diagnosis=Diagnosis(subject=subject))


def examined(*groups):
    return Examination(name="some <b>", source="log.csv", metric=None, groups=groups, notices=("2 files left out",))


def test_every_symptom_has_its_name():
    assert tuple(NAMES) == SYMPTOMS


@pytest.mark.parametrize(
    ("confidence", "text"), [(1.0, "over 99 %"), (0.995, "over 99 %"), (0.874, "87 %"), (0.004, "under 1 %")]
)
def test_a_confidence_never_says_certain(confidence, text):
    assert confidence_text(confidence) == text


def test_a_promise_is_told_in_its_metrics_own_unit():
    assert promise_text(DROPOUT.promise) == "val_accuracy +3 … +5 pp"
    assert promise_text(Promise(metric="val_loss", low=0.1, high=0.2)) == "val_loss +0.1 … +0.2"
    assert promise_text(None) == "–"


def test_the_headline_says_how_many_show_it_and_that_it_could_be_noise():
    diagnosis = ill(n=3, share=2 / 3, is_noise=True).diagnosis
    told = "overfitting, strong (confidence 97 %, in 2 of 3 trainings, could be noise at this n)"
    assert headline(diagnosis) == told
    assert headline(Diagnosis(subject="x", histories=2)) == "nothing to treat in 2 trainings"


def test_the_blocks_are_the_symptoms_the_changes_and_what_could_not_be_told():
    text = "\n\n".join(diagnosis_blocks(ill().diagnosis, {"dropout": 0.0}))
    assert text.startswith("Primary: overfitting, strong (confidence 97 %).")
    assert "dropout 0 → 0.4" in text and "val_accuracy +3 … +5 pp" in text
    assert "The expected gain is from the workflow document." in text and "it could not be told" in text
    assert diagnosis_blocks(well().diagnosis) == ["Primary: nothing to treat in 1 training."]


def test_a_change_that_names_no_known_setting_stands_in_brackets():
    other = Recommendation(
        id="R1",
        kind="dropout",
        title="dropout",
        patch={"dropout": 0.4},
        because="",
        symptom="stall",
        is_applicable=False,
    )
    diagnosis = Diagnosis(subject="x", symptoms=(symptom("stall", recommendations=(other,)),), primary="stall")
    text = "\n".join(diagnosis_blocks(diagnosis))
    assert "(dropout 0.4)" in text and "A change in brackets names no setting" in text


def test_markdown_text_html_and_json_tell_the_same_primary():
    found = examined(ill(), well())
    for told in (diagnosis_markdown(found), diagnosis_text(found), diagnosis_html(found, {})):
        assert "verfitting, strong" in told and "nothing to treat" in told
    document = json.loads(json.dumps(diagnosis_json(found), allow_nan=False))
    assert [group["primary"] for group in document["groups"]] == ["overfitting", ""]
    assert document["primaries"] == {"overfitting": 1, "": 1}
    assert document["groups"][0]["symptoms"][0]["finding"]["evidence"] == {"gap": 19.1, "nothing": "NaN"}
    assert document["groups"][0]["steps"] == {"unit": "epoch", "last": 19.0}


def test_text_from_outside_is_escaped_on_the_page():
    page = diagnosis_html(examined(ill("<script>x</script>")), {})
    assert "<script" not in page and "<19.1>" not in page and "&lt;19.1&gt;" in page


def test_the_figure_marks_where_the_validation_loss_turns():
    figure = diagnosis_figure(ill())
    assert isinstance(figure, DiagnosisFigure) and figure.step_unit == "epoch"
    (panel,) = figure.panels
    assert [line.role for line in panel.lines] == ["train", "validation"] and panel.label == "loss"
    assert [(turn.step, turn.value) for turn in panel.turns] == [(8.0, 1.0)]
    assert "epoch 8" in figure.caption and figure.title == "wide: overfitting, strong"


def test_one_measurement_is_no_figure():
    one = Diagnosed(histories=(history(epochs=1),), ground=Ground(), diagnosis=Diagnosis(subject="a"))
    assert isinstance(diagnosis_figure(one), NoFigure)


def test_of_very_many_the_first_that_are_ill_are_told_in_full(tmp_path):
    found = examined(*(well(f"well {i}") for i in range(30)), *(ill(f"ill {i}") for i in range(20)))
    text = diagnosis_markdown(found)
    assert len(re.findall("^## ill", text, re.MULTILINE)) == 8 and "the first 8 of 20 with something to treat" in text
    assert len(pictures_of(found)) == 8
    assert len(diagnosis_text(found).splitlines()) < 100


def test_what_is_written_is_whole_and_an_earlier_figure_goes(tmp_path):
    write_diagnosis(examined(ill("wide"), ill("deep")), tmp_path)
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {"wide.png", "deep.png"}
    (tmp_path / "figures" / "mine.png").write_bytes(b"precious")
    written = write_diagnosis(examined(ill("wide")), tmp_path)
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {"wide.png", "mine.png"}
    assert all(path.stat().st_size for path in written) and written[0].name == "diagnosis.html"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine; apt-get install chromium")
def test_the_page_opens_offline_without_sideways_scrolling(tmp_path):
    from playwright.sync_api import sync_playwright

    groups = [*(ill(f"a_rather_long_name_of_a_training_{i}", n=3) for i in range(6)), well()]
    page_file = write_diagnosis(examined(*groups), tmp_path)[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for width in (1100, 390):
            page = browser.new_page(viewport={"width": width, "height": 900})
            requests, complaints = [], []
            page.on("request", lambda request, seen=requests: seen.append(request.url))
            page.on("console", lambda message, seen=complaints: seen.append(message.text))
            page.goto(page_file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
            assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0
            assert complaints == [] and [u for u in requests if not u.startswith(("file:", "data:"))] == []
            page.close()
        browser.close()
