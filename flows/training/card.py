"""The model card: what a person should know before trusting a version."""

from dataclasses import dataclass
from datetime import datetime

from flows.config.durations import text
from flows.config.model import ModelConfig
from flows.training.contest import Entry
from flows.training.layout import window_text
from registry.records.version import Serving, TrainingData


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the card says; nothing in it depends on the clock or the machine."""

    config: ModelConfig
    data: TrainingData
    entries: tuple[Entry, ...]
    metric: str
    metrics: dict[str, float]
    baseline: dict[str, float]
    champion: str | None
    holdout: tuple[datetime, datetime, int]
    parity: float
    serving: Serving
    serving_reason: str
    threshold: float
    calibration: str
    seed: int
    warnings: tuple[str, ...] = ()


def card(facts: Facts) -> str:
    """Write the card as Markdown."""
    parts = [_title(facts), *_warnings(facts), _training(facts), _holdout(facts), _folds(facts), _features(facts)]
    return "\n\n".join(parts) + "\n"


def _title(facts: Facts) -> str:
    config = facts.config
    return f"# {config.model}\n\n{config.description or f'Predicts {config.target} ({config.task}).'}"


def _warnings(facts: Facts) -> list[str]:
    listed = "\n".join(f"- {warning}" for warning in facts.warnings)
    return [f"## Warnings\n\n{listed}"] if listed else []


def _training(facts: Facts) -> str:
    best, data = facts.entries[0], facts.data
    params = ", ".join(f"{name} {_plain(value)}" for name, value in sorted(best.setting.params.items()))
    return (
        f"## Training\n\n"
        f"- Algorithm: {best.setting.family} ({params})\n"
        f"- Rows: {data.rows}, from {_day(data.start)} to {_day(data.end)} (memory: {_memory(facts)})\n"
        f"- Fingerprint of the rows: `{data.fingerprint}`\n"
        f"- Seed: {facts.seed}\n"
        f"- Largest difference between what is served and what was fitted: {facts.parity:.1e}\n"
        f"- Served by: {_served(facts)}"
        f"{_use(facts)}"
    )


def _use(facts: Facts) -> str:
    """How scores become probabilities and decisions, where that is not the usual way."""
    calibrated = f"\n- Probabilities corrected: {facts.calibration}" if facts.calibration else ""
    decided = f"\n- Predicts 1 at or above {facts.threshold:.4g}, where decisions on later rows were worth most"
    return calibrated + (decided if facts.config.training.value else "")


def _memory(facts: Facts) -> str:
    recency = facts.config.training.recency
    return window_text(facts.entries[0].window) + (f"; a row of age {text(recency)} counts half" if recency else "")


def _served(facts: Facts) -> str:
    how = {
        "compiled": "machine code, folded from the fitted pipeline",
        "native": "the native library of the model",
        "original": "the fitted pipeline itself, which is slow",
    }[facts.serving]
    return f"{how}. {facts.serving_reason}" if facts.serving_reason else how


def _holdout(facts: Facts) -> str:
    start, stop, rows = facts.holdout
    fitted = (
        "The holdout judged the recipe; the model served was then fitted again on all rows, the holdout included."
        if facts.config.training.refit
        else "The model served has not seen the holdout."
    )
    theirs = f" | champion {facts.champion}" if facts.baseline else ""
    lines = [f"| metric | this{theirs} |", f"|---|---{'|---' if theirs else ''}|"]
    lines += [_metric_line(facts, name) for name in facts.metrics]
    return f"## Holdout\n\n{rows} rows from {_day(start)} to {_day(stop)}. {fitted}\n\n" + "\n".join(lines)


def _metric_line(facts: Facts, name: str) -> str:
    theirs = f" | {facts.baseline[name]:.4f}" if name in facts.baseline else " | -" if facts.baseline else ""
    return f"| {name} | {facts.metrics[name]:.4f}{theirs} |"


def _folds(facts: Facts) -> str:
    lines = [f"- {_entry(entry)}" for entry in facts.entries]
    head = (
        f"## Choice\n\nMean badness ({facts.metric}, less is better) on recent folds, each after what was learned from:"
    )
    return "\n".join([head, "", *lines])


def _entry(entry: Entry) -> str:
    each = ", ".join(f"{loss:.4f}" for loss in entry.losses)
    return f"{entry.setting.family}, memory {window_text(entry.window)}: {entry.loss:.4f} ({each})"


def _features(facts: Facts) -> str:
    features = facts.config.features
    listed = [f"numeric: {', '.join(features.numeric)}"] if features.numeric else []
    listed += [f"dates: {', '.join(features.dates)}"] if features.dates else []
    listed += [f"categorical: {', '.join(features.categorical)}"] if features.categorical else []
    return "## Features\n\n" + "\n".join(f"- {line}" for line in listed)


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "?"
