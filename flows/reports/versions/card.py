"""The model card: what a person should know before trusting a version, made from what the registry keeps."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flows.reports.measures import less_is_better, measure_of
from flows.reports.text import counted, duration, plain_number, sentence, words
from flows.reports.versions.difference import effect_of, headline
from flows.reports.versions.writing import Block
from registry.records.audit import AuditEntry
from registry.records.verdict import Decision
from registry.records.version import Feature, ModelVersion

STAGES = {
    "staging": "waits; nobody is answered by it",
    "shadow": "watches; callers do not see its answers",
    "canary": "answers some callers",
    "production": "answers callers",
    "archived": "was replaced, or never used",
    "rejected": "must not be used",
}
_TASKS = {
    "binary": "the probability that {} is true",
    "multiclass": "the probability of each class of {}",
    "regression": "the value of {}",
}
_SERVED = {
    "compiled": "machine code, folded from the fitted pipeline",
    "native": "the native library of the model",
    "original": "the fitted pipeline itself, which is slow",
}
_FEW, _MINUTE = 12, 60


def card_title(version: ModelVersion) -> str:
    """Name the page."""
    return f"{version.model} {version.version}"


def card(
    version: ModelVersion,
    *,
    about: str = "",
    decisions: Sequence[Decision] = (),
    history: Sequence[AuditEntry] = (),
    holdout: str = "",
    tried: Sequence[tuple[str, str]] = (),
) -> list[Block]:
    """
    Say what there is to know of a version: the answer first, the small print last.

    Args:
        version: As the registry keeps it.
        about: What the model is for, in the words of its configuration.
        decisions: In which it was the challenger, newest first.
        history: Audit entries of the version, newest first.
        holdout: Which rows it was judged on.
        tried: Settings and their mean loss on the folds, best first.

    Returns:
        Parts for `as_markdown` or `as_html`.
    """
    blocks = [
        _short(version, about, decisions),
        _warnings(version),
        _metrics(version, holdout),
        _validation(version),
        _decisions(decisions),
        _data(version),
        _features(version),
        _tried(tried),
        _made(version),
        _history(history),
    ]
    return [block for block in blocks if block.said or block.rows]


def _short(version: ModelVersion, about: str, decisions: Sequence[Decision]) -> Block:
    says = _TASKS[version.task].format(version.target)
    said = [
        *([sentence(about)] if about.strip() else []),
        f"It says {says}. It is in {version.stage}: it {STAGES[version.stage]}.",
        f"Made on {_day(version.created_at)} for {version.actor}. Why: {sentence(version.reason)}",
        *_decides(version),
        _against(version),
    ]
    if decisions:
        said.append(f"Last verdict ({decisions[0].id}): {decisions[0].outcome}. {sentence(decisions[0].headline)}")
    if version.artifact_deleted_at is not None:
        gone = _day(version.artifact_deleted_at)
        said.append(f"Its artifact was deleted by retention on {gone}; it can no longer be used. Train it again.")
    return Block("In short", tuple(said))


def _decides(version: ModelVersion) -> list[str]:
    """Why it says yes as often as it does, where the configuration says what decisions are worth."""
    worth = version.metrics.get("value_per_row")
    if worth is None:
        return []
    return [
        f"It says yes from a probability of {plain_number(version.threshold)} on: as the configuration values each "
        f"kind of decision, that paid best. On the held-out rows a decision was worth {plain_number(worth, 4)}."
    ]


def _against(version: ModelVersion) -> str:
    if not version.parent:
        return "It was compared with nothing: there was no champion when it was trained."
    shared = [name for name in version.metrics if name in version.baseline_metrics]
    if not shared:
        return f"Its champion was {version.parent}, which had learned from rows of the holdout: no fair comparison."
    effects = {name: effect_of(name, version.baseline_metrics[name], version.metrics[name]) for name in shared}
    worse = [measure_of(name).title for name in shared if effects[name] == "worse"]
    (first,) = headline({name: version.metrics[name] for name in shared})
    pair = (plain_number(values[first], 4) for values in (version.metrics, version.baseline_metrics))
    better = sum(effect == "better" for effect in effects.values())
    return (
        f"On the same rows, {measure_of(first).title} is {' against '.join(pair)} of the champion {version.parent}; "
        f"it is better in {better} of {counted(len(shared), 'metric')}"
        f"{f', worse in {words(worse)}' if worse else ''}. Whether that is more than chance, the verdicts say."
    )


def _warnings(version: ModelVersion) -> Block:
    return Block("Warnings", tuple(version.warnings))


def _metrics(version: ModelVersion, holdout: str) -> Block:
    if not version.metrics:
        return Block("How good it is", ("No metric was measured.",))
    theirs = version.parent if version.baseline_metrics else None
    head = ("metric", "this version", *([f"champion {theirs}", "so it is"] if theirs else []), "better is", "means")
    rows = tuple(_metric(version, name, compared=bool(theirs)) for name in version.metrics)
    said = f"On the newest rows, held back while it was being chosen. {holdout}".rstrip()
    return Block("How good it is", (said,), head, rows, numbers=(1, 2) if theirs else (1,))


def _metric(version: ModelVersion, name: str, *, compared: bool) -> tuple[str, ...]:
    ours, theirs = version.metrics[name], version.baseline_metrics.get(name)
    middle = (plain_number(theirs, 4), effect_of(name, theirs, ours)) if compared else ()
    known = measure_of(name)
    return known.title, plain_number(ours, 4), *middle, "less" if less_is_better(name) else "more", known.gloss


def _validation(version: ModelVersion) -> Block:
    found = version.validation
    if not found:
        return Block("Validation", ("It was not validated in a router of its own.",))
    checks = [check for check in found.get("checks", ()) if isinstance(check, Mapping)]
    rows = tuple((_text(c.get("name")), "yes" if c.get("passed") else "NO", _text(c.get("said"))) for c in checks)
    verdict = "passed" if found.get("passed") else "FAILED"
    return Block("Validation", (f"In a router of its own it {verdict}.",), ("check", "passed", "what was seen"), rows)


def _decisions(decisions: Sequence[Decision]) -> Block:
    rows = tuple((one.id, one.kind, one.champion, one.outcome, one.headline) for one in decisions)
    said = () if rows else ("It was never compared; `understudy compare` does.",)
    return Block("Verdicts", said, ("decision", "kind", "against", "outcome", "says"), rows)


def _data(version: ModelVersion) -> Block:
    data = version.data
    facts = {
        "rows": f"{data.rows:,}" + (f", {data.new_rows:,} of them new" if data.new_rows else ""),
        "from": _day(data.start),
        "to": _day(data.end),
        "source": data.source,
        "version of the source": data.version,
        "fingerprint of the rows": data.fingerprint,
    }
    return _facts("What it has learned from", facts)


def _features(version: ModelVersion) -> Block:
    rows = tuple((f.name, f.kind, _seen(f)) for f in version.features)
    said = f"Callers send {counted(len(rows), 'feature')}; a missing one is allowed."
    return Block("What callers send", (said,), ("feature", "kind", "seen in training"), rows)


def _seen(feature: Feature) -> str:
    if feature.kind == "numeric":
        return f"{plain_number(feature.low)} to {plain_number(feature.high)}"
    if feature.kind == "date":
        return " to ".join(_day(_moment(one)) for one in (feature.low, feature.high))
    more = len(feature.levels) - _FEW
    return ", ".join(feature.levels[:_FEW]) + (f" and {more} more" if more > 0 else "")


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _tried(tried: Sequence[tuple[str, str]]) -> Block:
    said = ("Mean loss on recent rows, each after those that were learned from. The best was taken.",) if tried else ()
    return Block("What was tried", said, ("setting", "loss"), tuple(tried))


def _made(version: ModelVersion) -> Block:
    facts = {
        "algorithm": version.algorithm,
        "parameters": _listed(version.params),
        "calibration": version.calibration or "none",
        "predicts yes from": plain_number(version.threshold) if version.task == "binary" else "",
        "classes": ", ".join(version.classes),
        "served by": f"{_SERVED[version.serving]}. {version.serving_reason}".removesuffix(". "),
        "largest difference between what is served and what was fitted": f"{version.parity:.1e}",
        "champion then": version.parent or "none",
        "asked for by": version.trigger,
        "took": duration(version.duration_s) if version.duration_s >= _MINUTE else f"{version.duration_s:.1f} s",
        "seed": str(version.seed),
        "code": version.code_version,
        "libraries": _listed(version.dependencies),
        "environment": _listed(version.environment),
        "experiment": version.experiment,
        "configuration": version.config_digest,
        "artifact": version.artifact_digest,
    }
    return _facts("How it was made", facts)


def _history(history: Sequence[AuditEntry]) -> Block:
    rows = tuple((_day(e.at), e.actor, _moved(e), e.reason) for e in history)
    return Block("What happened to it", (), ("when", "who", "what", "why"), rows)


def _moved(entry: AuditEntry) -> str:
    before, after = entry.before.get("stage"), entry.after.get("stage")
    return f"{before} to {after}" if entry.action == "version.moved" else entry.action.replace(".", " ")


def _facts(title: str, facts: Mapping[str, str]) -> Block:
    return Block(title, (), ("what", "value"), tuple((name, value) for name, value in facts.items() if value))


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in sorted(values.items()))


def _text(value: object) -> str:
    return plain_number(value, 4) if isinstance(value, float) else str(value)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "unknown"
