"""The bundle's papers: config, environment, model card, a script that predicts, the confusion matrix drawn."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from surefoot.phases.final import Final
from surefoot.reports.drawing import png
from surefoot.reports.figures import NoFigure
from surefoot.reports.model_card import model_card
from surefoot.reports.phases_configs import setting_line
from surefoot.reports.phases_figures import confusion_figure
from surefoot.reports.phases_tables import class_names
from surefoot.reports.story import Story
from surefoot.run import Run
from surefoot.words import moment, short_hash

SUMS = "SHA256SUMS"
TEMPLATES = Path(__file__).parent / "templates"
# What predict.py loads, the one that takes less to run first, and the file's name in its template.
LOADED = {"onnx": "model.onnx", "torch": "model.pt2"}
_PACKAGE = re.compile(r"\s*([A-Za-z0-9][\w.-]*)(?:==|\s+)([0-9][\w.+!-]*)\s*$")


def bundle_files(story: Story) -> dict[str, bytes]:
    """What stands in the bundle beside the exported model, by file name; nothing before there is a final model.

    predict.py is there where a model was exported for it to load, confusion.png where there is a matrix to draw.
    """
    final = story.phases.final if story.phases else None
    if final is None:
        return {}
    files = {
        "config.yaml": config_yaml(story, final),
        "environment.txt": environment(story, final),
        "MODEL_CARD.md": model_card(story, final),
    }
    script = predict_script(final)
    if script:
        files["predict.py"] = script
    figure = confusion_figure(final)
    if not isinstance(figure, NoFigure):
        files["confusion.png"] = png(figure)
    return files


def config_yaml(story: Story, final: Final) -> bytes:
    """The whole config of the final training, as YAML."""
    head = [
        f"# The config of the bundled model: study {story.study}, plan {short_hash(story.plan_hash)}.",
        f"# Workload {story.workload}. Written from the record by surefoot.",
        "",
    ]
    lines = [setting_line(name, value) for name, value in final.config.items()]
    return ("\n".join([*head, *(lines or ["{}"])]) + "\n").encode()


def environment(story: Story, final: Final) -> bytes:
    """Where the bundled model was trained: the packages as pins that pip reads, the rest as comments."""
    run = bundled_run(final)
    provenance = run.provenance if run else None
    versions = dict(provenance.versions) if provenance else {}
    packages = story.phases.environment.get("packages", "") if story.phases else ""
    known = [found for part in re.split(r"[,\n]", packages) if (found := _PACKAGE.match(part))]
    pins = {found[1]: found[2] for found in known}
    pins |= {name: version for name, version in versions.items() if name != "python"}
    about = {"python": versions.get("python", ""), "machine": "", "device": "", "git commit": "", "trained": ""}
    if provenance:
        about |= {"machine": provenance.machine, "device": provenance.device, "git commit": provenance.git_commit}
        about["trained"] = moment(provenance.ended_at)
    lines = ["# The environment that the bundled model was trained in, as far as the record knows it."]
    lines += [f"# {name}: {value or 'not on record'}" for name, value in about.items()]
    lines += [f"{name}=={version}" for name, version in sorted(pins.items())]
    return ("\n".join(lines if pins else [*lines, "# packages: not on record"]) + "\n").encode()


def predict_script(final: Final) -> bytes:
    """Ten lines that load the exported model and say the class of images, with nothing of ours; empty without one.

    Classes without names are numbers.
    """
    written = {export.format: export.file for export in final.exports if export.file and not export.error}
    found = next((name for name in LOADED if name in written), None)
    if found is None:
        return b""
    text = (TEMPLATES / f"predict_{found}.py.txt").read_text(encoding="utf-8").replace(LOADED[found], written[found])
    classes = final.classes or class_names(final)
    if not classes:
        return text.replace("CLASSES = ()\n\n", "").replace("CLASSES[logits.argmax()]", "int(logits.argmax())").encode()
    return text.replace("CLASSES = ()", f"CLASSES = {tuple(classes)!r}").encode()


def bundled_run(final: Final) -> Run | None:
    """The training that the bundled model came from; None where it is not among the runs."""
    return next((run for run in final.runs if run.seed == final.bundled_seed), None)


def checksums(folder: Path) -> str:
    """The text of SHA256SUMS for every file in the folder and below, as `sha256sum -c` reads it, but for itself."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return "".join(f"{_sha256(folder / name)}  {name}\n" for name in names if name != SUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
