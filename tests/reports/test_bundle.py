"""The bundle's papers: generated, whole, agreeing, and a script that really predicts."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from phase_stories import ended, failed_export, final_of, planned
from PIL import Image
from ruamel.yaml import YAML

from surefoot.phases.final import Exported
from surefoot.reports.bundle import bundle_files, checksums
from surefoot.workload import RunContext, as_config, find_workload


def with_final(final, story=None):
    story = story or ended()
    return replace(story, phases=replace(story.phases, final=final))


def text_of(story, name="MODEL_CARD.md"):
    return bundle_files(story)[name].decode()


def test_there_is_no_bundle_before_there_is_a_final_model():
    assert bundle_files(planned()) == {}
    assert bundle_files(replace(ended(), phases=None)) == {}


def test_the_config_reads_back_as_it_was_trained():
    story = ended()
    assert YAML(typ="safe").load(text_of(story, "config.yaml")) == dict(story.phases.final.config)


def test_the_environment_pins_what_the_record_knows_and_says_what_it_does_not():
    final = final_of()
    known = {"python": "3.11.8", "torch": "2.13.0", "surefoot": "0.1.0"}
    runs = tuple(replace(r, provenance=replace(r.provenance, versions=known, machine="2 cores")) for r in final.runs)
    lines = text_of(with_final(replace(final, runs=runs)), "environment.txt").splitlines()
    assert [line for line in lines if "==" in line] == ["numpy==1.26.4", "surefoot==0.1.0", "torch==2.13.0"]
    assert {"# python: 3.11.8", "# machine: 2 cores", "# git commit: not on record"} <= set(lines)


def test_the_cards_numbers_are_the_records():
    card, final = text_of(ended()), ended().phases.final
    n, right = sum(map(sum, final.confusion)), sum(row[i] for i, row in enumerate(final.confusion))
    assert f"{right:,} of {n:,} right" in card
    assert f"each row sums to its class's examples, the rows to {n:,}." in " ".join(card.split())
    for value in (*final.validation["val_accuracy"], *final.test["val_accuracy"]):
        assert f"{value:.3f}" in card  # one digit more than their spread has
    for words in ("|validation − test|", "What is claimed", "What is not claimed", "Limits", "not calibrated"):
        assert words in card.replace("\\", "")
    for run in final.runs:
        assert str(run.seed) in card


def test_totals_that_do_not_agree_are_said_not_to():
    final = final_of()
    broken = replace(final, per_class=(replace(final.per_class[0], support=7), *final.per_class[1:]))
    assert "THE TOTALS DO NOT AGREE" in text_of(with_final(broken))


def test_an_export_that_failed_is_on_the_card_and_the_script_is_there_for_the_other():
    story = failed_export()
    assert "FAILED" in text_of(story)
    none = replace(story.phases.final, exports=(Exported(format="onnx", error="it broke"),))
    assert "predict.py" not in bundle_files(with_final(none))
    assert "No exported model is in the bundle" in text_of(with_final(none))


def test_a_final_of_which_little_is_known_says_so():
    bare = final_of(
        runs=(),
        bundled_seed=None,
        validation={},
        test={},
        classes=(),
        confusion=(),
        per_class=(),
        exports=(),
        config={},
    )
    files = bundle_files(with_final(bare))
    assert set(files) == {"config.yaml", "environment.txt", "MODEL_CARD.md"}
    assert files["MODEL_CARD.md"].decode().count("not on record") >= 8


def test_a_class_name_is_text_in_the_script_and_on_the_card():
    names = ("a'\"\n", "<script>", "|x|")
    odd = replace(final_of(), classes=names)
    script = text_of(with_final(odd), "predict.py")
    assert re.search(r"^CLASSES = (.*)$", script, re.M)[1] == repr(names)
    compile(script, "predict.py", "exec")
    assert "\n<script>" not in text_of(with_final(odd))


def test_the_confusion_matrix_is_drawn():
    picture = Image.open(BytesIO(bundle_files(ended())["confusion.png"]))
    assert min(picture.size) > 300


def test_checksums_are_what_sha256sum_reads(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b c.bin").write_bytes(b"\x00")
    (tmp_path / "SHA256SUMS").write_text(checksums(tmp_path))
    (tmp_path / "SHA256SUMS").write_text(checksums(tmp_path))  # its own line would be false at once
    check = ["sha256sum", "-c", "SHA256SUMS"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["a.txt: OK", "below/b c.bin: OK"])
    (tmp_path / "a.txt").write_text("b")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """A bundle on disk with a really trained and exported net, test images, and what the workload says of them."""
    folder = tmp_path_factory.mktemp("bundle")
    run = tmp_path_factory.mktemp("run")
    workload = find_workload("digits")
    config = as_config(workload, workload.complete({"steps": 80, "norm": "batch"}))
    context = RunContext(seed=0, artifacts=run, is_test_open=True)
    for _ in workload.train(config, context):
        pass
    facts = workload.export(config, context, "last", folder, ("torch", "onnx"))
    said = workload.predict(config, context, "last", "test")
    exports = tuple(Exported(**export) for export in facts["exports"])
    final = replace(final_of(), classes=said.classes, exports=exports, confusion=(), per_class=())
    for name, content in bundle_files(with_final(final)).items():
        (folder / name).write_bytes(content)
    from surefoot.workloads import datasets

    return folder, datasets.load("digits", "test", context).images, said


@pytest.mark.parametrize("hidden", ["", "model.onnx", "model.pt2"])
def test_the_script_says_the_class_that_predict_says(bundled, tmp_path, hidden):
    folder, images, said = bundled
    np.save(tmp_path / "all.npy", images)
    Image.fromarray(images[3]).save(tmp_path / "one.png")
    if hidden:
        (folder / hidden).rename(tmp_path / hidden)
    try:
        script = [sys.executable, "predict.py", str(tmp_path / "all.npy"), str(tmp_path / "one.png")]
        done = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=True)
    finally:
        if hidden:
            (tmp_path / hidden).rename(folder / hidden)
    told = [line.split(": ")[1] for line in done.stdout.splitlines()]
    expected = [said.classes[i] for i in said.scores.argmax(1)]
    assert [one.split(" ")[0] for one in told] == [*expected, expected[3]]
    assert float(told[-1].split("(")[1][:-1]) == pytest.approx(said.scores[3].max(), abs=2e-3)


def test_the_script_refuses_an_image_of_another_size_in_one_line(bundled, tmp_path):
    folder, _, _ = bundled
    np.save(tmp_path / "large.npy", np.zeros((28, 28)))
    script = [sys.executable, "predict.py", str(tmp_path / "large.npy")]
    done = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "an image must be of shape (1, 8, 8) (channels, height, width); got (28, 28)" in done.stderr
    assert "Traceback" not in done.stderr
