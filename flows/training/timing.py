"""Whether a retraining is worth its price, and when it had better run; a pure function of what is known."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from flows.config.durations import text
from flows.config.operations import Schedule
from registry.records.retraining import Severity, TriggerType

Kind = Literal["now", "later", "not_due", "not_worth_it", "over_budget"]
URGENT: frozenset[TriggerType] = frozenset({"manual", "emergency", "initial"})
_NEARLY = 0.9  # of a wait: a schedule is kept to the second by nobody
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """
    What is known when a retraining is asked for.

    Attributes:
        now: On the wall clock, UTC.
        trigger, severity: Of what asks for it.
        last: End of the last retraining that made a version; None before the first.
        every: How often to retrain at the pace that was seen last.
        rebuild: Whether it is the monthly full rebuild.
        waited: Whether it was put off before; then it waits no more.
        gain: Expected fall of the loss, in percent of it; None if not known.
        expected_s: Processor seconds of one retraining; None if none was measured.
        spent: Ends, and processor seconds, of earlier retrainings.
    """

    now: datetime
    trigger: TriggerType
    severity: Severity = "LOW"
    last: datetime | None = None
    every: timedelta = _WEEK
    rebuild: bool = False
    waited: bool = False
    gain: float | None = None
    expected_s: float | None = None
    spent: tuple[tuple[datetime, float], ...] = ()

    def spent_s(self, at: datetime) -> float:
        """Processor seconds in the seven days before *at*."""
        return sum(seconds for end, seconds in self.spent if at - _WEEK < end <= at)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """
    What to do about it.

    Attributes:
        at: When to begin, for "later".
        said: Why, with the numbers.
        figures: The numbers, for events and the audit trail.
    """

    kind: Kind
    said: str
    at: datetime | None = None
    figures: dict[str, Any] = field(default_factory=dict)


def decide_when(asked: Situation, limits: Schedule) -> When:
    """
    Decide whether a retraining begins now, in quieter hours, or not at all.

    People, emergencies, the first training and CRITICAL never wait. Otherwise a scheduled one must be due; one whose
    expected gain is known to be worth less than its processor time is left out, unless the last one is longer ago than
    the slowest pace. One beyond the budget waits until enough of the last seven days is past, and is left out if it
    alone is more than the budget. What remains waits for the off-peak hours, if they begin within the patience.

    Args:
        asked: What is known.
        limits: Section `schedule` of the configuration.
    """
    figures = _figures(asked, limits)
    if asked.trigger in URGENT or asked.severity == "CRITICAL" or asked.last is None:
        return When(kind="now", said="it does not wait", figures=figures)
    refusal = _not_due(asked, asked.last, limits) or _not_worth_it(asked, asked.last, limits) or _over(asked, limits)
    if refusal is not None:
        kind, said = refusal
        return When(kind=kind, said=said, figures=figures)
    at, said = _affordable(asked, limits) or _off_peak(asked, limits) or (None, "nothing speaks against it")
    if at is None:
        return When(kind="now", said=said, figures=figures)
    return When(kind="later", at=at, said=said, figures=figures | {"begins": at.isoformat()})


def price(asked: Situation, limits: Schedule) -> float | None:
    """Of the processor time, in the currency of the configuration; None if it is not known."""
    return None if asked.expected_s is None else limits.cost_per_hour * asked.expected_s / 3600


def worth(asked: Situation, limits: Schedule) -> float | None:
    """Of the expected gain until the next retraining, in the same currency; None if it is not known."""
    if asked.gain is None or limits.value_per_point is None:
        return None
    return limits.value_per_point * asked.gain * (paced(asked.every, limits) / _WEEK)


def paced(every: timedelta, limits: Schedule) -> timedelta:
    """Keep a pace within the limits; the slowest one wins where they cross."""
    return min(max(every, limits.fastest), limits.slowest)


def _figures(asked: Situation, limits: Schedule) -> dict[str, Any]:
    return {
        "gain_percent": asked.gain,
        "worth": worth(asked, limits),
        "price": price(asked, limits),
        "expected_cpu_s": asked.expected_s,
        "spent_cpu_s": asked.spent_s(asked.now),
        "budget_cpu_s": limits.budget.total_seconds() if limits.budget else None,
        "last": asked.last.isoformat() if asked.last else None,
        "every": text(paced(asked.every, limits)),
    }


def _not_due(asked: Situation, last: datetime, limits: Schedule) -> tuple[Kind, str] | None:
    if asked.trigger != "schedule":
        return None
    wait = limits.fastest if asked.rebuild else paced(asked.every, limits)
    since = asked.now - last
    if since >= _NEARLY * wait:
        return None
    return "not_due", f"the last retraining ended {_days(since)} ago, and {_days(wait)} lie between two"


def _not_worth_it(asked: Situation, last: datetime, limits: Schedule) -> tuple[Kind, str] | None:
    value, cost = worth(asked, limits), price(asked, limits)
    if value is None or cost is None or value >= cost or asked.now - last >= limits.slowest:
        return None
    return "not_worth_it", (
        f"the expected gain of {asked.gain:.4g} % of the loss is worth {value:.4g} until the next one, "
        f"and {asked.expected_s:.0f} processor seconds cost {cost:.4g}"
    )


def _over(asked: Situation, limits: Schedule) -> tuple[Kind, str] | None:
    if limits.budget is None or (asked.expected_s or 0.0) <= limits.budget.total_seconds():
        return None
    return "over_budget", (
        f"{asked.expected_s:.0f} processor seconds are expected; the budget of seven days is "
        f"{limits.budget.total_seconds():.0f}"
    )


def _affordable(asked: Situation, limits: Schedule) -> tuple[datetime, str] | None:
    """When the budget allows it; None if it does now."""
    if limits.budget is None:
        return None
    budget, expected = limits.budget.total_seconds(), asked.expected_s or 0.0
    moments = sorted({asked.now, *(end + _WEEK for end, _ in asked.spent if end + _WEEK > asked.now)})
    at = next(moment for moment in moments if asked.spent_s(moment) + expected <= budget)
    if at == asked.now:
        return None
    return at, (
        f"{asked.spent_s(asked.now):.0f} processor seconds were spent in seven days and {expected:.0f} more are "
        f"expected; the budget is {budget:.0f}"
    )


def _off_peak(asked: Situation, limits: Schedule) -> tuple[datetime, str] | None:
    """When the quiet hours begin; None if it is not to wait for them."""
    opens = None if asked.waited else _opening(asked.now, limits)
    said = f"it can wait for the off-peak hours {limits.off_peak} ({limits.timezone})"
    return (opens, said) if opens is not None else None


def _opening(now: datetime, limits: Schedule) -> datetime | None:
    """Begin of the next off-peak hours; None if they are now, not at all, or too far away."""
    if limits.quiet_hours is None:
        return None
    begin, end = limits.quiet_hours
    here = now.astimezone(ZoneInfo(limits.timezone))
    if _between(here.time(), begin, end):
        return None
    opens = min(moment for moment in _moments(here, begin) if moment > now)
    return opens if opens - now <= limits.patience else None


def _moments(here: datetime, begin: time) -> Iterator[datetime]:
    """Today and tomorrow at *begin*; where clocks are put back, both times that they show it."""
    for days in (0, 1):
        shown = datetime.combine(here.date() + timedelta(days=days), begin, here.tzinfo)
        first, again = shown.astimezone(UTC), shown.replace(fold=1).astimezone(UTC)
        yield first
        yield max(first, again)  # an hour that is left out would otherwise begin too early


def _between(at: time, begin: time, end: time) -> bool:
    """Whether *at* lies in hours that may go past midnight."""
    return begin <= at < end if begin < end else at >= begin or at < end


def _days(length: timedelta) -> str:
    """As people say it: to the minute."""
    return text(max(timedelta(minutes=round(length / timedelta(minutes=1))), timedelta(minutes=1)))
