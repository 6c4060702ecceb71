"""baseline_results.md: what the baseline came to on every seed, how it got there, and what that took."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from surefoot.comparison import numbers_in
from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.phases_gates import document_gate_blocks
from surefoot.reports.sentences import noise_sentences
from surefoot.reports.story import ArmStory, Story
from surefoot.reports.tables import Table, seeds_table
from surefoot.run import Metric, Run
from surefoot.words import (
    NOTHING,
    count,
    duration,
    heading_of,
    mean_and_spread,
    number,
    percent,
    sentence,
    settings,
    short_hash,
    unit_of,
)


def baseline_results(story: Story) -> bytes:
    """The baseline's results as Markdown."""
    assert story.baseline is not None and story.phases is not None
    arm = story.baseline
    blocks = [
        heading(1, f"Baseline of {story.study}"),
        paragraph("Written from the record by surefoot; nothing in it was typed."),
        paragraph(f"Config: {settings(story.phases.baseline_config or arm.config)}."),
        heading(2, "Values on every seed"),
        *value_blocks(arm, story),
        heading(2, "Best step and last step"),
        *best_and_last_blocks(arm, story.primary),
        heading(2, "Curves"),
        table(curve_table(arm.runs)),
        heading(2, "Resources"),
        table(resource_table(arm.runs)),
        heading(2, "Checkpoints"),
        table(checkpoint_table(arm.runs)),
        *document_gate_blocks(story, "baseline"),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def value_blocks(arm: ArmStory, story: Story) -> list[str]:
    """Mean ± sd, every seed and the noise floor of each metric; a run without a value with its reason."""
    blocks = []
    for metric in story.metrics:
        values = arm.values.get(metric.name, ())
        known = numbers_in(values)
        if not values:
            continue
        noise = story.noise.get(metric.name)
        over = f" over {count(len(known), 'seed')}" if known else ""
        told = f"{metric.name}: {mean_and_spread(known)}{unit_of(metric) if known else ''}{over}, at the last step."
        blocks += [table(seeds_table([arm], metric)), paragraph(told)]
        blocks += [paragraph(" ".join(noise_sentences(metric, noise, story.rule)))] if noise is not None else []
    lost = [
        f"Seed {run.seed} (run {run.id}) ended {run.status}: {sentence(run.reason)}" for run in arm.runs if run.reason
    ]
    return [*blocks, *([bullets(lost)] if lost else [])]


def best_and_last_blocks(arm: ArmStory, metric: Metric) -> list[str]:
    """The value at the best step beside that at the last one, and which of them counts."""
    found = best_and_last_table(arm.runs, metric)
    if not found.rows:
        return [paragraph(f"No run measured {metric.name}.")]
    return [
        paragraph(
            f"The value at the last step is what counts everywhere in this study. The best step is the one that "
            f"best.pt was written at, where the run says so, else the best of {metric.name}; it was picked by "
            "hindsight, and stands here for comparison only."
        ),
        table(found),
    ]


def best_and_last_table(runs: Sequence[Run], metric: Metric) -> Table:
    """Each run's last and best step with the metric's value at each."""
    rows = []
    for run in runs:
        points = points_of(run, metric.name)
        if points:
            best, how = best_step(run, points, metric)
            last = max(points)
            rows.append((str(run.seed), str(last), number(points[last]), str(best), number(points[best]), how))
    name = heading_of(metric)
    headers = ("seed", "last step", f"{name} at the last step", "best step", f"{name} at the best step", "best by")
    return Table(headers=headers, rows=tuple(rows), title="Best step and last step")


def best_step(run: Run, points: Mapping[int, float], metric: Metric) -> tuple[int, str]:
    """The best step, as the run itself said or by the metric, and which of the two."""
    said = run.facts.get("best_step")
    if isinstance(said, int) and said in points:
        return said, "the run (best.pt)"
    return max(points, key=lambda step: (metric.sign * points[step], -step)), metric.name


def points_of(run: Run, metric: str) -> dict[int, float]:
    """The metric's finite values by step."""
    found = {m.step: m.values[metric] for m in run.measurements if metric in m.values}
    return {step: value for step, value in found.items() if math.isfinite(value)}


def curve_table(runs: Sequence[Run]) -> Table:
    """The first, lowest, highest and last value of every curve, over all seeds."""
    names = dict.fromkeys(name for run in runs for m in run.measurements for name in m.values)
    rows = []
    for name in names:
        curves = [list(points_of(run, name).values()) for run in runs]
        curves = [curve for curve in curves if curve]
        broken = sum(not math.isfinite(m.values.get(name, 0.0)) for run in runs for m in run.measurements)
        if curves or broken:
            ends: tuple[Callable[[list[float]], float], ...] = (lambda c: c[0], min, max, lambda c: c[-1])
            rows.append((name, *(mean_and_spread([end(c) for c in curves]) for end in ends), str(broken)))
    headers = ("curve, mean ± sd over seeds", "first", "lowest", "highest", "last", "not finite")
    return Table(headers=headers, rows=tuple(rows), title="Curves")


# What a run may tell of the resources it took: the fact, its heading, and how its value is said.
RESOURCES: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("images_per_second", "images a second", lambda v: number(v, 0 if v >= 100 else None)),
    ("utilisation", "utilisation", percent),
    ("seconds_per_step", "seconds a step", number),
    ("largest_gradient_norm", "largest gradient norm", number),
    ("peak_memory_bytes", "peak memory, MiB", lambda v: number(v / 2**20, 0)),
    ("parameters", "parameters", lambda v: f"{v:,}"),
)


def resource_table(runs: Sequence[Run]) -> Table:
    """What every run said of its speed, its use of the device, its gradients and its size."""
    told = [{"peak_memory_bytes": run.provenance.peak_memory_bytes or None, **run.facts} for run in runs]
    shown = [(name, title, say) for name, title, say in RESOURCES if any(is_number(t.get(name)) for t in told)]
    rows = []
    for run, facts in zip(runs, told, strict=True):
        cells = [say(facts[name]) if is_number(facts.get(name)) else NOTHING for name, _, say in shown]
        place = f"{run.provenance.device}, {count(run.provenance.threads, 'thread')}"
        rows.append((str(run.seed), *cells, duration(run.provenance.wall_seconds), place))
    headers = ("seed", *(title for _, title, _ in shown), "training time", "device")
    return Table(headers=headers, rows=tuple(rows), title="Resources")


def is_number(value: Any) -> bool:
    """Whether a fact is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def checkpoint_table(runs: Sequence[Run]) -> Table:
    """Every run's checkpoints with the beginning of their SHA-256."""
    rows = tuple(
        (str(run.seed), str(run.id), str(run.status), f"{name}.pt", short_hash(digest))
        for run in runs
        for name, digest in run.checkpoints.items()
    )
    missing = tuple(
        (str(run.seed), str(run.id), str(run.status), "none", NOTHING) for run in runs if not run.checkpoints
    )
    headers = ("seed", "run", "ended", "checkpoint", "SHA-256")
    return Table(headers=headers, rows=(*rows, *missing), title="Checkpoints")
