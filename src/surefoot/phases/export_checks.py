"""What the exported model must show before a study is final: there, alike, fast enough, whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from surefoot.phases.dossier import Dossier
from surefoot.phases.final import Exported
from surefoot.phases.gate import Check
from surefoot.phases.question import Question, few
from surefoot.words import clause, count, listing, number, short_hash

NOT_ASKED = "The plan asks for no export."
NO_FILE = "No exported file to look at."


def exported(dossier: Dossier) -> Check:
    """Whether the model was written in every format that the plan asks for."""
    ask = Question(predicate="exported", text="The model is exported in every format asked for.")
    formats = _formats(dossier)
    if not formats:
        return ask.not_applicable(NOT_ASKED)
    found = {e.format: e for e in _exports(dossier)}
    wrong = [f"{name}: {_failure(found.get(name))}" for name in formats if _failure(found.get(name))]
    if wrong:
        return ask.blocked(f"{few(wrong, '; ')}; `surefoot run PLAN` exports it again.", *_files(dossier))
    return ask.satisfied(f"{listing([f'{name} ({found[name].file})' for name in formats])}.", *_files(dossier))


def _failure(export: Exported | None) -> str:
    """Why there is no such file; empty where there is."""
    if export is None:
        return "none on record"
    return clause(export.error) if export.error else "" if export.file else "no file"


def _formats(dossier: Dossier) -> tuple[str, ...]:
    return dossier.plan.finalise.exports if dossier.plan.finalise else ()


def _exports(dossier: Dossier) -> tuple[Exported, ...]:
    return dossier.final.exports if dossier.final else ()


def _files(dossier: Dossier) -> tuple[str, ...]:
    return tuple(e.file for e in _exports(dossier) if e.file)


def _written(dossier: Dossier) -> list[Exported]:
    """The exports that there is a file of; `exported` blocks for the others."""
    return [e for e in _exports(dossier) if not _failure(e)]


def export_agrees(dossier: Dossier) -> Check:
    """Whether the exported model predicts the same classes as the original."""
    ask = Question(predicate="export_agrees", text="The exported model predicts what the original does.")
    least = dossier.plan.thresholds.export_agreement

    def told(e: Exported) -> str:
        return "" if e.agreement is None else f"{e.format} on {number(100 * e.agreement)} % of the test examples"

    def bad(e: Exported) -> bool:
        return e.agreement is not None and e.agreement < least

    return _each(ask, dossier, told, bad, f"at least {number(100 * least)} % is asked")


def export_accurate(dossier: Dossier) -> Check:
    """Whether the exported model is as accurate as the original."""
    ask = Question(predicate="export_accurate", text="The exported model is as accurate as the original.")
    most = dossier.plan.thresholds.export_accuracy

    def difference(e: Exported) -> float:
        assert e.accuracy is not None and e.original_accuracy is not None
        return abs(e.accuracy - e.original_accuracy)

    def told(e: Exported) -> str:
        if e.accuracy is None or e.original_accuracy is None:
            return ""
        return f"{e.format} {number(e.accuracy)} % against {number(e.original_accuracy)} %"

    return _each(
        ask, dossier, told, lambda e: bool(told(e)) and difference(e) > most, f"{number(most)} points are allowed"
    )


def _each(
    ask: Question, dossier: Dossier, told: Callable[[Exported], str], bad: Callable[[Exported], bool], rule: str
) -> Check:
    """One answer for all exports: what `told` says of each, "" where it was not measured, and which are `bad`."""
    if not _formats(dossier):
        return ask.not_applicable(NOT_ASKED)
    exports = _written(dossier)
    if not exports:
        return ask.blocked(NO_FILE)
    silent = [e.format for e in exports if not told(e)]
    if silent:
        return ask.blocked(
            f"Not measured for {listing(silent)}; `surefoot run PLAN` exports it again.", *_files(dossier)
        )
    said: Sequence[str] = [told(e) for e in exports]
    wrong = [told(e) for e in exports if bad(e)]
    if wrong:
        return ask.blocked(f"{listing(wrong)}; {rule}.", *_files(dossier))
    return ask.satisfied(f"{listing(said)}; {rule}.", *_files(dossier))


def export_fast(dossier: Dossier) -> Check:
    """Whether the exported model answers fast enough, and no slower than the original."""
    ask = Question(predicate="export_fast", text="The exported model answers fast enough, one example at a time.")
    limits = dossier.plan.thresholds
    how = "; ".join(f"{e.format}: {e.latency_measured}" for e in _written(dossier) if e.latency_measured)
    measured = f" ({how})" if how else ""

    def told(e: Exported) -> str:
        if e.latency_seconds is None:
            return ""
        beside = f" against {_milliseconds(e.original_latency_seconds)}" if e.original_latency_seconds else ""
        return f"{e.format} {_milliseconds(e.latency_seconds)}{beside}"

    def bad(e: Exported) -> bool:
        return e.latency_seconds is not None and e.latency_seconds > limits.latency_seconds

    found = _each(ask, dossier, told, bad, f"at most {_milliseconds(limits.latency_seconds)} is allowed{measured}")
    slower = [e.format for e in _written(dossier) if _slowdown(e) > limits.export_slowdown]
    if found.state == "satisfied" and slower:
        times = f"{number(limits.export_slowdown)} times " if limits.export_slowdown != 1 else ""
        told_ = f"{clause(found.evidence)}; {listing(slower)} is slower than {times}the original."
        return ask.noted(told_, *found.rests_on)
    return found


def _slowdown(e: Exported) -> float:
    """How many times as long as the original's its latency is; 0 where either is unknown."""
    return e.latency_seconds / e.original_latency_seconds if e.latency_seconds and e.original_latency_seconds else 0.0


def _milliseconds(seconds: float) -> str:
    return f"{number(1000 * seconds)} ms"


def bundle_whole(dossier: Dossier) -> Check:
    """Whether the bundle's files are on disk with the checksums on record, the weights and the exports among them."""
    ask = Question(
        predicate="bundle_whole", text="The bundle is whole: weights, exports and papers, by their checksums."
    )
    if not _formats(dossier):
        return ask.not_applicable(NOT_ASKED)
    final = dossier.final
    if final is None or not final.bundle or not final.files:
        return ask.blocked("There is no bundle; `surefoot run PLAN` writes it.")
    damaged = [f"{name} {clause(what)}" for name, what in dossier.bundle_damage.items() if what]
    others = [
        f"{e.file} has the checksum {short_hash(final.files[e.file])}, and {short_hash(e.sha256)} is on record"
        for e in _written(dossier)
        if final.files.get(e.file, e.sha256) != e.sha256
    ]
    absent = [f"{e.file} is not in it" for e in _written(dossier) if e.file not in final.files]
    if not any(name.endswith(".safetensors") for name in final.files):
        absent.append("no weights (.safetensors) are in it")
    wrong = [*damaged, *others, *absent]
    if wrong:
        return ask.blocked(f"{few(wrong, '; ')}: `surefoot run PLAN` writes the bundle again.", *final.files)
    return ask.satisfied(f"{count(len(final.files), 'file')}, each with its SHA-256.", *final.files)
