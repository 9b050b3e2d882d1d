"""What each metric means, in words that need no statistics."""

from typing import NamedTuple

from registry.records.policy import direction_of

PERCENT, POINTS = "%", " points"


class Measure(NamedTuple):
    """
    How to speak of one metric.

    Attributes:
        title: As a column head.
        better, worse: Predicates with a gap for the size.
        unit: Of a difference; `POINTS` for shares.
        relative: Whether people speak of it in percent of the champion's value.
        gloss: For the glossary; empty for a KPI.
    """

    title: str
    better: str
    worse: str
    unit: str = ""
    relative: bool = True
    gloss: str = ""


_KNOWN = {
    "accuracy": Measure(
        "accuracy",
        "is right {} more often",
        "is right {} less often",
        POINTS,
        False,
        "Share of rows for which the model's answer was right.",
    ),
    "auc": Measure(
        "AUC",
        "puts the right case first {} more often (AUC)",
        "puts the right case first {} less often (AUC)",
        POINTS,
        False,
        "Of one positive and one negative case drawn at random, how often the positive one gets the higher score. "
        "50% is chance, 100% is perfect.",
    ),
    "pr_auc": Measure(
        "average precision",
        "finds positive cases with {} higher average precision",
        "finds positive cases with {} lower average precision",
        POINTS,
        False,
        "Share of true positives among those picked, averaged over all cut-offs.",
    ),
    "f1": Measure("F1", "has an F1 {} higher", "has an F1 {} lower", POINTS, False, "Balance of precision and recall."),
    "precision": Measure(
        "precision",
        "is right {} more often when it says yes",
        "is right {} less often when it says yes",
        POINTS,
        False,
        "Share of its yes answers that were right.",
    ),
    "recall": Measure(
        "recall",
        "finds {} more of the positive cases",
        "finds {} fewer of the positive cases",
        POINTS,
        False,
        "Share of the positive cases that it found.",
    ),
    "brier": Measure(
        "Brier score",
        "states probabilities whose squared error is {} smaller (Brier score)",
        "states probabilities whose squared error is {} larger (Brier score)",
        gloss="Mean squared distance between the stated probability and what happened; less is better.",
    ),
    "log_loss": Measure(
        "log loss",
        "states probabilities whose log loss is {} smaller",
        "states probabilities whose log loss is {} larger",
        gloss="Penalty for stated probabilities that were far from what happened; less is better.",
    ),
    "calibration": Measure(
        "calibration error",
        "states probabilities that are {} closer to what happens",
        "states probabilities that are {} further from what happens",
        POINTS,
        False,
        "How far stated probabilities are from the observed shares; less is better.",
    ),
    "loss": Measure(
        "loss",
        "makes errors that are {} smaller",
        "makes errors that are {} larger",
        gloss="Error per request as the monitoring counts it; less is better.",
    ),
    "mae": Measure(
        "MAE",
        "is off by {} less on average (MAE)",
        "is off by {} more on average (MAE)",
        gloss="Mean absolute error: how far it is off on average, in the unit of the target; less is better.",
    ),
    "rmse": Measure(
        "RMSE",
        "has a typical error that is {} smaller (RMSE)",
        "has a typical error that is {} larger (RMSE)",
        gloss="Root mean squared error: like MAE, but large errors count more; less is better.",
    ),
    "mape": Measure(
        "MAPE",
        "is off by {} less relative to the true value (MAPE)",
        "is off by {} more relative to the true value (MAPE)",
        gloss="Mean absolute error as a share of the true value; less is better.",
    ),
    "r2": Measure(
        "R²",
        "explains {} more of the variation (R²)",
        "explains {} less of the variation (R²)",
        POINTS,
        False,
        "Share of the target's variation that the model explains.",
    ),
    "value_per_row": Measure(
        "value per row",
        "decides {} better in worth per row",
        "decides {} worse in worth per row",
        gloss="What its decisions were worth per row, by training.value of the configuration.",
    ),
    "latency_ms": Measure(
        "latency", "answers {} faster", "answers {} slower", " ms", False, "Time until the answer, in milliseconds."
    ),
    "error_rate": Measure(
        "error rate",
        "fails {} less often",
        "fails {} more often",
        POINTS,
        False,
        "Share of requests that it could not answer.",
    ),
}


def measure_of(metric: str) -> Measure:
    """
    How to speak of *metric*; a KPI by its own name.

    Example:
        >>> measure_of("revenue").better.format("2%")
        'is 2% better on revenue'
    """
    known = _KNOWN.get(metric)
    if known is not None:
        return known
    name = metric.replace("{", "(").replace("}", ")")
    return Measure(name, f"is {{}} better on {name}", f"is {{}} worse on {name}", gloss=_pinball(metric))


def _pinball(metric: str) -> str:
    share = metric.removeprefix("pinball_")
    if share == metric or not share.isdecimal():
        return ""
    other = 100 - int(share)
    return f"Distance from the truth; {share}% of it count where it was too low, {other}% elsewhere; less is better."


def less_is_better(metric: str, declared: str | None = None) -> bool:
    """Whether the raw value should fall."""
    known = declared if declared in ("higher", "lower") else None
    if known is None and metric.startswith("pinball_"):
        return True
    return direction_of(metric, known) == "lower"  # type: ignore[arg-type]
