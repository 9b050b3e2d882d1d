"""Numbers of a replay as sentences; for the terminal and the report alike."""

from datetime import timedelta

from flows.backtest.results import Backtest, Difference, PolicyResult, Tuned
from flows.config.durations import text


def heading(found: Backtest) -> str:
    """
    What was replayed, and how.

    Rows, batches, the warm-up, the delay of labels and the window of retrainings.
    """
    delay = text(timedelta(seconds=round(found.label_delay))) if found.label_delay else "at once"
    return (
        f"{found.model}: {found.scored} rows in {found.batches} batches of {found.batch}, after a warm-up of "
        f"{found.warmup} rows. Labels arrive after {delay}. Retrainings look back: {found.window}."
    )


def share(value: float | None) -> str:
    """A share in whole per cent."""
    return "-" if value is None else f"{100 * value:.0f} %"


def money(value: float | None) -> str:
    """A cost."""
    return "-" if value is None else f"{value:,.0f}"


def wait(one: PolicyResult) -> str:
    """Median batches from a change to the next retraining."""
    return "-" if one.delay is None or one.delay.median is None else f"{one.delay.median:g}"


def cells(one: PolicyResult, *, priced: bool) -> list[str]:
    """One row of the table of policies, the name first."""
    return [
        one.name,
        f"{one.value:.4g}",
        f"{one.lost:.2f}",
        share(one.gain),
        str(one.retrainings),
        share(one.share),
        wait(one),
        str(one.delay.missed) if one.delay else "-",
        str(one.fits),
        f"{one.seconds:.1f}",
        *([money(one.cost)] if priced else []),
    ]


def range_text(difference: Difference) -> str:
    """Estimate and interval, signed so that more is better."""
    if difference.low is None or difference.high is None:
        return f"{difference.estimate:+.3g}"
    return f"{difference.estimate:+.3g} [{difference.low:+.3g}, {difference.high:+.3g}]"


def schedule_text(one: PolicyResult) -> str:
    """The even schedule of equal budget: mean, worst and best of its phases."""
    found = one.schedule
    return "-" if found is None else f"{found.value:.4g} ({found.worst:.4g} to {found.best:.4g})"


def tuned_text(one: Tuned, metric: str) -> str:
    """Both parts, so that nobody takes the figure of the search for that of the future."""
    return (
        f"{one.kind}: {one.trials} numbers were tried on the first {one.early_batches} batches; found {one.found}. "
        f"There {metric} was {one.early:.4g} with {one.early_retrainings} retrainings ({one.default}: "
        f"{one.early_default:.4g}). On the {one.later_batches} batches that the search never saw: {one.later:.4g} with "
        f"{one.later_retrainings} ({one.default}: {one.later_default:.4g} with {one.later_default_retrainings}; "
        f"never {one.later_never:.4g}, always {one.later_always:.4g}, evenly {one.later_evenly:.4g})."
    )
