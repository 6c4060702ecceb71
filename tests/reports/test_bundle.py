"""The bundle's papers: generated, whole, agreeing, and a script that really predicts."""

from __future__ import annotations

import ast
import re
import shutil
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
from surefoot.reports.bundle import bundle_files, checksums, predict_script
from surefoot.reports.model_card import model_card
from surefoot.workload import RunContext, as_config, find_workload
from surefoot.workloads import datasets, exporting


def with_final(final, story=None):
    story = story or ended()
    return replace(story, phases=replace(story.phases, final=final))


def text_of(story, name="MODEL_CARD.md"):
    """One of the bundle's files; those that need no more than the final are made without drawing the rest."""
    final = story.phases.final
    alone = {"MODEL_CARD.md": lambda: model_card(story, final), "predict.py": lambda: predict_script(final)}
    return (alone[name]() if name in alone else bundle_files(story)[name]).decode()


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
    """Folders of a really trained and exported net, by what was bundled, the test pixels, and their classes."""
    run, both = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("both")
    workload = find_workload("digits")
    config = as_config(workload, workload.complete({"steps": 60, "norm": "batch"}))
    context = RunContext(seed=0, artifacts=run, is_test_open=True)
    for _ in workload.train(config, context):
        pass
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "TIMING_SECONDS", 0.05)
        facts = workload.export(config, context, "last", both, ("torch", "onnx"))
    said = workload.predict(config, context, "last", "test")
    torch_alone = shutil.copytree(both, tmp_path_factory.mktemp("torch") / "bundle")
    (torch_alone / "model.onnx").unlink()
    for folder in (both, torch_alone):
        exports = [Exported(**export) for export in facts["exports"] if (folder / export["file"]).is_file()]
        final = replace(final_of(), classes=said.classes, exports=tuple(exports), confusion=(), per_class=())
        for name, content in bundle_files(with_final(final)).items():
            (folder / name).write_bytes(content)
    pixels = exporting.raw_pixels(datasets.load("digits", "test", context)).numpy()
    return {"onnx": both, "torch": torch_alone}, pixels, [said.classes[i] for i in said.scores.argmax(1)]


def asked(folder, *arguments):
    """The bundle's own script, run within the bundle; it finds nothing of ours there."""
    line = [sys.executable, "predict.py", *map(str, arguments)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("bundle", ["onnx", "torch"])
def test_the_script_says_the_class_that_the_trained_net_says(bundled, tmp_path, bundle):
    folders, pixels, classes = bundled
    np.save(tmp_path / "all.npy", pixels.astype(np.uint8))
    done = asked(folders[bundle], tmp_path / "all.npy")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == classes


def test_the_script_takes_one_image_too(bundled, tmp_path):
    folders, pixels, classes = bundled
    np.save(tmp_path / "one.npy", pixels[3])
    assert asked(folders["onnx"], tmp_path / "one.npy").stdout.splitlines() == [classes[3]]


@pytest.mark.parametrize("shape", [(28, 28), (2, 1, 16, 8), (3, 8, 8)])
def test_the_script_refuses_an_image_of_another_shape_in_one_line(bundled, tmp_path, shape):
    np.save(tmp_path / "other.npy", np.zeros(shape))
    done = asked(bundled[0]["onnx"], tmp_path / "other.npy")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"an image must be of shape (1, 8, 8) (channels, height, width); got {shape}" in done.stderr


def test_the_script_asked_for_nothing_says_how_to_ask(bundled):
    assert "python predict.py IMAGES.npy" in asked(bundled[0]["onnx"]).stderr


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_the_script_is_ten_lines_beside_its_docstring_and_the_classes(name):
    exports = tuple(export for export in final_of().exports if export.format == name)
    script = text_of(with_final(replace(final_of(), exports=exports)), "predict.py")
    docstring = ast.get_docstring(ast.parse(script), clean=False)
    code = script.replace(f'"""{docstring}"""', "").splitlines()
    assert len([line for line in code if line and not line.startswith("CLASSES = ")]) == 10
    assert {"onnx": "onnxruntime", "torch": "torch"}[name] in script and max(map(len, code)) <= 120


def test_classes_without_names_are_numbers_in_the_script():
    nameless = replace(final_of(), classes=(), confusion=(), per_class=())
    script = text_of(with_final(nameless), "predict.py")
    assert "CLASSES" not in script and "print(int(logits.argmax()))" in script


def test_the_card_tells_how_the_times_were_measured():
    how = "CPU time on one thread, median of 541, in turns with the original"
    assert f"- model.onnx: {how}" in text_of(ended()).replace("\\", "")
    untold = tuple(replace(export, latency_measured="") for export in final_of().exports)
    assert "How the times were measured" not in text_of(with_final(replace(final_of(), exports=untold)))
