"""A checkpoint written in formats that need none of our code, each checked against the original.

Notable choices:
- What is written takes pixels as the data set holds them: normalising is part of it. It gives logits, for any number
  of images at once.
- What is checked is the file: read back, and asked for every test image. Both sides are timed on one image at a time,
  in turns, on one thread: by that thread's CPU time, which other work on the machine does not lengthen. On an idle
  core it is the time by the clock; waiting for a core is not in it.
- A format that cannot be written says why; the others are written all the same. A file that could not be checked is
  not left behind.
- `model.safetensors` holds the weights under the net's own names, unfolded, with what the pixels are normalised with.
- Not part of any training, and so of no code fingerprint.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import logging
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.errors import WorkloadError, quoted
from surefoot.workload import Facts, RunContext
from surefoot.workloads.datasets import Examples
from surefoot.workloads.folding import folded
from surefoot.workloads.predicting import OfPixels, in_batches
from surefoot.workloads.training import EVALUATION_BATCH, Build, laid_out, pixel_statistics, prepare, read_checkpoint

Run = Callable[[Tensor], Tensor]

WEIGHTS = "model.safetensors"
WARM_UP_RUNS = 20
FEWEST_RUNS = 50
TIMING_SECONDS = 1.0
TIMING_IMAGES = 16
CPU = torch.device("cpu")
# Not every system counts a thread's time finely enough for one image.
_IS_FINE = time.get_clock_info("thread_time").resolution <= 1e-6
clock = time.thread_time if _IS_FINE else time.perf_counter
CLOCK = "CPU time" if _IS_FINE else "time by the clock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """How a format is written and run; `requires` are the modules it takes beside torch.

    `timed` is what a reader must know of how it is run to understand its time.
    """

    file: str
    write: Callable[[nn.Module, Tensor, Path], None]
    load: Callable[[Path], Run]
    requires: tuple[str, ...] = ()
    timed: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A written file held against the original over the test images; percent right, seconds of one image."""

    agreement: float
    accuracy: float
    original_accuracy: float
    latency_seconds: float
    original_latency_seconds: float
    latency_measured: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """The median seconds of one image, a side, and how often each side was run."""

    seconds: tuple[float, ...]
    runs: int


def export(
    build: Build,
    train: Examples,
    test: Examples,
    context: RunContext,
    checkpoint: str,
    folder: Path,
    formats: tuple[str, ...],
) -> Facts:
    """What was written into the folder, and how each format compares with the original over the test images.

    "exports" holds a mapping a format, of `surefoot.phases.final.Exported`'s fields; "files" the SHA-256 by file
    name; "takes" and "gives" say in words what goes in and comes out. Raises WorkloadError for a checkpoint that is
    missing, damaged or another net's, and for a format that there is not.
    """
    for name in formats:
        if name not in FORMATS:
            raise WorkloadError(f"an export's format must be one of {', '.join(FORMATS)}; got {quoted(name)}")
    prepare(context)
    net, layout = laid_out(read_checkpoint(build(context.seed), context.artifacts / f"{checkpoint}.pt"), CPU)
    original = OfPixels(net, pixel_statistics(train)).eval().requires_grad_(False)
    model = folded(original, layout)
    pixels, labels = raw_pixels(test), torch.tensor(test.labels)
    folder.mkdir(parents=True, exist_ok=True)
    failed = _written_weights(original, folder / WEIGHTS)
    exports = [] if not failed else [{"format": "safetensors", "error": failed}]
    exports += [_exported(name, model, original, pixels, labels, folder) for name in formats]
    found = [path for path in (folder / WEIGHTS, *(folder / FORMATS[name].file for name in formats)) if path.is_file()]
    return {
        "exports": exports,
        "files": {path.name: sha256(path) for path in found},
        "takes": f"float32 pixels from {train.images.min()} to {train.images.max()}, of shape (n{_rest(pixels)})",
        "gives": f"logits of shape (n, {original(pixels[:1]).shape[1]}), one a class: the largest is the class",
    }


def raw_pixels(examples: Examples) -> Tensor:
    """The images as float32 of shape (n, channels, height, width), their values as they are."""
    return torch.tensor(examples.images).view(len(examples), *examples.shape).float()


def checked(form: Format, path: Path, original: nn.Module, pixels: Tensor, labels: Tensor) -> Check:
    """How the written model compares with the original over these images."""
    run = form.load(path)
    at_once = EVALUATION_BATCH["cpu"]
    mine, theirs = (in_batches(side, pixels, at_once).argmax(1) for side in (run, original))
    timings = latencies((original, run), pixels)
    original_seconds, seconds = timings.seconds
    return Check(
        agreement=float((mine == theirs).double().mean()),
        accuracy=100 * float((mine == labels).double().mean()),
        original_accuracy=100 * float((theirs == labels).double().mean()),
        latency_seconds=seconds,
        original_latency_seconds=original_seconds,
        latency_measured=f"{CLOCK} on one thread, median of {timings.runs:,}, in turns with the original{form.timed}",
    )


def latencies(sides: tuple[Run, ...], pixels: Tensor, seconds: float | None = None) -> Timings:
    """The median seconds that each side takes for one image, on one thread, all of them in turns."""
    images = [pixels[i : i + 1].clone() for i in range(min(TIMING_IMAGES, len(pixels)))]
    times: list[list[float]] = [[] for _ in sides]
    with _on_one_thread(), torch.inference_mode():
        for image in [images[0]] * WARM_UP_RUNS:
            for side in sides:
                side(image)
        deadline, count = time.perf_counter() + (TIMING_SECONDS if seconds is None else seconds), 0
        while count < FEWEST_RUNS or time.perf_counter() < deadline:
            image = images[count % len(images)]
            for i in (range(len(sides)), reversed(range(len(sides))))[count % 2]:
                began = clock()
                sides[i](image)
                times[i].append(clock() - began)
            count += 1
    return Timings(seconds=tuple(statistics.median(each) for each in times), runs=count)


def sha256(path: Path) -> str:
    """The file's SHA-256 (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _exported(
    name: str, model: nn.Module, original: nn.Module, pixels: Tensor, labels: Tensor, folder: Path
) -> dict[str, Any]:
    path = folder / FORMATS[name].file
    path.unlink(missing_ok=True)  # an earlier attempt's
    try:
        _require(name, FORMATS[name].requires)
        with _quiet():
            with _whole(path) as temporary:
                FORMATS[name].write(model, pixels[:2], temporary)
            check = checked(FORMATS[name], path, original, pixels, labels)
    except Exception as error:  # an exporter fails in as many ways as a net can be written
        path.unlink(missing_ok=True)
        return {"format": name, "error": _sentence(error)}
    return {"format": name, "file": path.name, "sha256": sha256(path), **dataclasses.asdict(check), "error": ""}


# ── the formats ──


def write_program(model: nn.Module, pixels: Tensor, path: Path) -> None:
    """Writes torch's own exported program, for any number of images."""
    torch.export.save(_program(model, pixels), path)


def load_program(path: Path) -> Run:
    """What runs an exported program that is one net of one input and one output.

    Its graph is called with its weights as arguments: `module()` looks every weight up by its name and checks
    the input anew in each call, which costs a small net half as much again as what it computes.
    """
    program = torch.export.load(path)
    known = {**program.state_dict, **program.constants}
    weights = [known[one.target].detach() for one in program.graph_signature.input_specs if one.target is not None]
    graph = program.graph_module.forward
    return lambda pixels: graph(*weights, pixels)[0]


def write_onnx(model: nn.Module, pixels: Tensor, path: Path) -> None:
    """Writes one ONNX file, weights inside, for any number of images."""
    torch.onnx.export(
        _program(model, pixels),
        f=path,
        dynamo=True,
        external_data=False,
        input_names=["pixels"],
        output_names=["logits"],
        verbose=False,
    )


def load_onnx(path: Path) -> Run:
    """What runs an ONNX file with onnxruntime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels: torch.from_numpy(session.run(None, {"pixels": pixels.numpy()})[0])


def _program(model: nn.Module, pixels: Tensor) -> torch.export.ExportedProgram:
    count = torch.export.Dim("n", min=1)
    with torch.no_grad():
        # two images: with one, an exporter may take the number for a constant
        return torch.export.export(model, (torch.cat([pixels, pixels])[:2],), dynamic_shapes=({0: count},))


def _written_weights(model: OfPixels, path: Path) -> str:
    """Writes the weights and reads them back; why that failed, empty where it did not."""
    path.unlink(missing_ok=True)
    normalised = {name: json.dumps(getattr(model, name).flatten().tolist()) for name in ("means", "deviations")}
    state = {name: value.detach().clone().contiguous() for name, value in model.net.state_dict().items()}
    try:
        _require("safetensors", ("safetensors",))
        from safetensors.torch import load_file, save_file

        with _whole(path) as temporary:
            save_file(state, temporary, metadata=normalised)
        again = load_file(path)
        if set(again) != set(state) or not all(torch.equal(again[name], value) for name, value in state.items()):
            raise WorkloadError("the weights read back are not those that were written")
    except Exception as error:  # whatever a disk or a library does
        path.unlink(missing_ok=True)
        return _sentence(error)
    return ""


FORMATS = {
    "torch": Format(
        file="model.pt2",
        write=write_program,
        load=load_program,
        timed=", its graph called directly: program.module() takes longer",
    ),
    "onnx": Format(file="model.onnx", write=write_onnx, load=load_onnx, requires=("onnx", "onnxscript", "onnxruntime")),
}


# ── the machine ──


def _require(name: str, modules: tuple[str, ...]) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise WorkloadError(f'{name} needs {module}, which is not installed; pip install "surefoot[export]"')


def _sentence(error: Exception) -> str:
    """What an exporter says, in one line: its first, as the rest is its own stack."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
    if isinstance(error, WorkloadError):
        return first
    return f"it could not be written and read back ({type(error).__name__}: {first[:300].rstrip('.')})"


def _rest(pixels: Tensor) -> str:
    return "".join(f", {size}" for size in pixels.shape[1:])


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A temporary path that becomes the path at the end, if nothing went wrong."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within, no library's advice to itself is heard."""
    level = logging.root.manager.disable
    logging.disable(max(level, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextlib.contextmanager
def _on_one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
