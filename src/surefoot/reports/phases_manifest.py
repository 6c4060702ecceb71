"""reproducibility_manifest.md: where, with what and from which seeds a study trains, and how to train it again."""

from __future__ import annotations

from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.phases_gates import strong
from surefoot.reports.phases_sentences import threshold_sentences
from surefoot.reports.story import ArmStory, Story
from surefoot.reports.tables import Table, facts_table
from surefoot.run import Run
from surefoot.words import count, moment

PACKAGES = "packages"


def manifest(story: Story) -> bytes:
    """The manifest as Markdown."""
    blocks = [
        heading(1, f"Reproducibility of {story.study}"),
        paragraph("Written from the record by surefoot; nothing in it was typed."),
        heading(2, "The plan"),
        table(facts_table(plan_facts(story), "The plan")),
        *environment_blocks(story),
        heading(2, "Fingerprints"),
        *fingerprint_blocks(story),
        heading(2, "Seeds by purpose"),
        table(seeds_by_purpose(story)),
        heading(2, "How to reproduce"),
        *how_blocks(story),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def plan_facts(story: Story) -> list[tuple[str, str]]:
    """What was registered, when, and where it was read from."""
    facts = [("study", story.study), ("workload", story.workload), ("plan file", story.plan_path)]
    facts.append(("plan hash", story.plan_hash))
    facts += [(f"revision {r.number} registered", moment(r.registered_at)) for r in story.revisions]
    return facts


def environment_blocks(story: Story) -> list[str]:
    """The environment as a table, the packages as a list below it."""
    assert story.phases is not None
    environment = story.phases.environment
    known = [(name, value) for name, value in environment.items() if name != PACKAGES and value]
    blocks = [heading(2, "Environment")]
    blocks.append(table(facts_table(known, "Environment")) if known else paragraph("Not on record yet."))
    packages = [p.strip() for p in environment.get(PACKAGES, "").replace("\n", ",").split(",") if p.strip()]
    if packages:
        blocks += [paragraph(f"{count(len(packages), 'package')}:"), bullets(packages)]
    told = threshold_sentences(story.phases)
    return [*blocks, *([heading(2, "Thresholds of the plan"), bullets(told)] if told else [])]


def fingerprint_blocks(story: Story) -> list[str]:
    """The data's and the code's fingerprint; two runs with the same pair, config and seed are the same run."""
    runs = _runs(story)
    data = {r.provenance.data_fingerprint for r in runs} or {story.provenance.get("data", "")}
    code = {r.provenance.code_fingerprint for r in runs} or {story.provenance.get("code", "")}
    rows = [("data", value) for value in sorted(data) if value] + [("code", value) for value in sorted(code) if value]
    if not rows:
        return [paragraph("Known once the first run has begun.")]
    return [table(facts_table(rows, "Fingerprints")), *mixed_blocks(len(data), len(code))]


def mixed_blocks(data: int, code: int) -> list[str]:
    """A warning where the study's runs were not all made with the same data and code."""
    if data <= 1 and code <= 1:
        return []
    versions = f"{count(data, 'version')} of the data and {count(code, 'version')} of the code"
    return [strong(f"The runs told here were made with {versions}.")]


def seeds_by_purpose(story: Story) -> Table:
    """Which seeds explored, which are kept for claims, and which trained the final models; no two share one."""
    assert story.phases is not None
    arms: list[ArmStory] = [
        arm for e in story.experiments for arm in ([e.champion] if e.champion else []) + list(e.arms)
    ]
    baseline = set(story.baseline.seeds) if story.baseline else set()
    exploring = sorted(baseline.union(*(arm.seeds for arm in arms)))
    final = sorted(run.seed for run in story.phases.final.runs) if story.phases.final else []
    rows = (
        ("baseline", seed_text(sorted(baseline)), "noise floor and diagnosis"),
        ("exploring", seed_text(exploring), "every race; what is chosen on them is flattered by them"),
        ("fresh", seed_text(sorted(story.fresh_seeds)), "claims only; no choice saw them"),
        ("final", seed_text(final), "the models that are tested and exported"),
    )
    return Table(headers=("purpose", "seeds", "used for"), rows=rows, title="Seeds by purpose")


def seed_text(seeds: list[int]) -> str:
    """ "1 … 8 (8 seeds)", or each by itself where they do not follow each other."""
    if not seeds:
        return "none yet"
    is_row = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
    said = f"{seeds[0]} … {seeds[-1]}" if is_row else ", ".join(map(str, seeds))
    return f"{said} ({count(len(seeds), 'seed')})"


def how_blocks(story: Story) -> list[str]:
    """The commands that train recorded runs again and compare."""
    runs = _runs(story)
    blocks = [
        paragraph(
            "Each run on record trains again from its config, seed, data and code, and is compared with what is "
            "recorded: bit for bit on the same machine and number of threads, within a stated tolerance elsewhere."
        )
    ]
    if not runs:
        return [*blocks, paragraph("No run has ended yet.")]
    width = max(len(str(run.id)) for run in runs)
    lines = [f"surefoot reproduce {run.id:<{width}}  # {_named(story, run)}, seed {run.seed}" for run in runs]
    return [*blocks, "\n".join(["```", *lines, "```"])]


def _named(story: Story, run: Run) -> str:
    return "final" if story.phases and story.phases.final and run in story.phases.final.runs else "baseline"


def _runs(story: Story) -> list[Run]:
    assert story.phases is not None
    baseline = list(story.baseline.runs) if story.baseline else []
    return [*baseline, *(story.phases.final.runs if story.phases.final else ())]
